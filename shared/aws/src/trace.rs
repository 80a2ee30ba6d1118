//! The trace that a run belongs to: it goes from message to message, so that all that a run's functions
//! say can be found by one id.

use aws_lambda_events::event::sqs::SqsMessage;

/// The system attribute of a message that carries a trace.
const HEADER: &str = "AWSTraceHeader";

/// A trace as AWS X-Ray writes it, e.g. `Root=1-67891233-abcdef012345678912345678;Sampled=1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace(Option<String>);

impl Trace {
    /// That of the message, or else a new one: the invocation's.
    pub fn of(message: &SqsMessage, invocation: &lambda_runtime::Context) -> Self {
        let carried = message.attributes.get(HEADER);
        Self(carried.or(invocation.xray_trace_id.as_ref()).cloned())
    }

    /// The trace's own id, without what belongs to one invocation.
    pub fn id(&self) -> &str {
        let header = self.0.as_deref().unwrap_or_default();
        header.split(';').find_map(|part| part.strip_prefix("Root=")).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_carries_a_trace_belongs_to_it() {
        let invocation = lambda_runtime::Context::default();
        let mut message = SqsMessage::default();
        assert_eq!(Trace::of(&message, &invocation).id(), "");
        let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
        message.attributes.insert(HEADER.into(), header.into());
        let trace = Trace::of(&message, &invocation);
        assert_eq!(trace.id(), "1-67891233-abcdef012345678912345678");
        assert_eq!(trace.header(), Some(header));
    }
}
