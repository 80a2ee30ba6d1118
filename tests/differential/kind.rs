/// What an expression is, as far as the queries care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    /// Multiples of a power of two, so that sums are exact in any order.
    Float,
    /// A float that depends on the order of rows: never a key, never compared with another.
    Approx,
    Bool,
    Text,
    Date,
    Decimal,
    Time,
    ZonedTime,
    Bytes,
    List,
    Struct,
}

impl Kind {
    /// Kinds that any table can make.
    pub(crate) const SCALARS: &[Self] =
        &[Self::Int, Self::Float, Self::Bool, Self::Text, Self::Date, Self::Decimal, Self::Time];

    /// Whether rows can be sorted and grouped by it.
    pub(crate) fn is_key(self) -> bool {
        !matches!(self, Self::Approx | Self::List | Self::Struct)
    }

    /// The simplest expression of the kind.
    pub(crate) fn plain(self) -> &'static str {
        match self {
            Self::Int => "1",
            Self::Float | Self::Approx => "CAST(0.5 AS DOUBLE)",
            Self::Bool => "TRUE",
            Self::Text => "'a'",
            Self::Date => "DATE '2024-01-02'",
            Self::Decimal => "CAST(1.25 AS DECIMAL(12, 2))",
            Self::Time => "TIMESTAMP '2024-01-02T03:00:00'",
            Self::ZonedTime => "arrow_cast('2024-01-02T03:00:00Z', 'Timestamp(µs, \"UTC\")')",
            Self::Bytes => "arrow_cast('a', 'BinaryView')",
            Self::List => "make_array(1, 2)",
            Self::Struct => "named_struct('x', 1, 'y', 'a')",
        }
    }
}
