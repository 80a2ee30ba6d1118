type Props = Record<string, any> | null;
export function h(type: any, props?: Props, ...children: any[]): any;
export function render(node: any, parent: Element): void;
export const Fragment: any;
export class Component {
  constructor(props?: any);
  props: any;
  state: any;
  setState(state: any): void;
}
export function useState<T>(first?: T | (() => T)): [T, (next: T | ((last: T) => T)) => void];
export function useEffect(effect: () => void | (() => void), inputs?: any[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: any[]): void;
export function useRef<T>(first?: T): { current: T };
export function useMemo<T>(make: () => T, inputs: any[]): T;
export function useErrorBoundary(): [any, () => void];
export function html(strings: TemplateStringsArray, ...values: any[]): any;
