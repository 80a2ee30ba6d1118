// The shapes of the API that the page reads. Sizes are bytes, times RFC 3339, dollars numbers.

type Between = [number, number];
type State = 'queued' | 'planning' | 'running' | 'succeeded' | 'failed' | 'cancelled';

interface Workers {
  mib: number;
  large_mib: number;
  python_mib?: number;
  large_python_mib?: number;
  python_sql_mib?: number;
  concurrency: number;
}

interface Meta {
  bucket: string;
  version: string;
  endpoint?: string | null;
  workers?: Workers;
  may_write?: boolean;
}

interface RunRow {
  run: string;
  job: string;
  state: State;
  created: string;
  ended?: string;
  seconds?: number;
  rows?: number;
  bytes?: number;
  tasks?: number;
  cost_usd?: number;
  reason?: string | null;
  retries?: string | null;
}

interface Usage {
  requests: number;
  read_bytes: number;
  exchange_requests: number;
  exchange_bytes: number;
  milliseconds: number;
  peak_memory_bytes: number;
  spilled_bytes: number;
  large_tasks: number;
}

interface Stage {
  stage: number;
  operators: string;
  tasks: number | null;
  committed: number;
  reused?: boolean;
  inputs: number[];
  worker: 'normal' | 'large' | 'python' | 'large-python' | 'python-sql';
  rows?: number;
  bytes?: number;
  usage?: Usage;
}

interface Price {
  tasks: Between;
  table_bytes: Between;
  exchange_bytes: Between;
  requests: Between;
  gb_seconds: Between;
  seconds: Between;
  cost_usd: Between;
}

interface StagePrice {
  tasks: Between;
  messages: Between;
  cost_usd: Between;
}

interface Estimate {
  workers: Workers;
  total: Price;
  stages: StagePrice[];
}

interface Actual {
  tasks: number;
  table_bytes: number;
  exchange_bytes: number;
  requests: number;
  gb_seconds: number;
  seconds: number;
  cost_usd: number;
}

interface ResultFile {
  key: string;
  rows: number;
  bytes: number;
  url?: string;
  expires?: string;
}

interface Outcome {
  run: string;
  job: string;
  status: 'succeeded' | 'failed' | 'cancelled';
  reason?: string;
  into?: string;
  files: ResultFile[];
  rows: number;
  bytes: number;
  seconds: number;
  tasks: number;
  usage: Usage;
  bad_rows?: number;
  actual?: Actual;
  estimate?: Price;
  ended?: string;
}

interface Spec {
  sql?: string;
  calls?: any;
  params?: Record<string, any>;
  tables?: Record<string, any>;
  options?: Record<string, any>;
  into?: string;
}

interface RunRequest {
  run: string;
  job: string;
  source: { bucket: string; key: string; etag: string; sequencer: string; time: string; pipeline?: string };
  created: string;
  spec: Spec | null;
  input?: { key: string; size: number; etag?: string };
  retries?: string;
}

interface Status {
  run: string;
  state: State;
  request?: RunRequest;
  stages: Stage[];
  estimate?: Estimate;
  explained?: Estimate;
  max_cost_usd?: number;
  single?: string;
  outcome?: Outcome;
  results?: Results;
}

interface TaskTimes {
  task: number[];
  at: number[];
}

interface StageTasks {
  stage: number;
  sent?: number;
  started: TaskTimes;
  committed: TaskTimes;
  bytes: number[];
  failed?: TaskTimes;
  again?: TaskTimes;
  given_up?: TaskTimes;
}

interface TaskError {
  stage: number;
  task: number;
  at: number;
  error: string;
  log: string;
  lines?: string;
}

interface Tasks {
  created: string;
  spent_usd?: number;
  stages: StageTasks[];
  errors?: TaskError[];
}

interface Column {
  name: string;
  type: string;
}

interface Results {
  rows: number;
  bytes: number;
  columns: Column[];
  preview: (string | null)[][];
  files: ResultFile[];
  next?: string;
}

interface Problem {
  title: string;
  status: number;
  detail?: string;
  run?: string;
  errors?: { pointer: string; detail: string }[];
}

interface ReportData {
  status: Status;
  tasks: Tasks;
  results?: Results;
  compare?: { status: Status; tasks: Tasks };
  bucket: string;
  made: string;
  version: string;
}
