//! Messages as senders give and receivers get them, and what SQS counts and digests of them.

use std::collections::BTreeMap;
use std::time::Duration;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::hex::hex;

/// The name of the system attribute that carries a trace.
pub(crate) const TRACE_HEADER: &str = "AWSTraceHeader";

/// A typed attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageAttribute {
    pub(crate) data_type: String,
    pub(crate) string: Option<String>,
    pub(crate) binary: Option<Vec<u8>>,
}

/// A message to send.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct NewMessage {
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
    pub(crate) group: Option<String>,
    pub(crate) delay: Option<Duration>,
    /// `AWSTraceHeader`, the only system attribute that a sender may state.
    #[serde(default)]
    pub(crate) trace: Option<String>,
}

/// A message as a receiver gets it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) message: NewMessage,
    pub(crate) sent: i64,
    pub(crate) first_received: i64,
    pub(crate) receives: u32,
    /// The queue that gave the message up.
    pub(crate) source: Option<String>,
}

impl NewMessage {
    pub(crate) fn body_md5(&self) -> String {
        hex(&Md5::digest(self.body.as_bytes()))
    }

    /// The MD5 of the attributes: Amazon SQS Developer Guide, "Calculating the MD5 message digest
    /// for message attributes".
    pub(crate) fn attributes_md5(&self) -> Option<String> {
        digest(&self.attributes)
    }

    /// The same of what the sender stated for the system.
    pub(crate) fn system_attributes_md5(&self) -> Option<String> {
        let header = self.trace.clone().map(|trace| {
            let data_type = "String".to_owned();
            let attribute = MessageAttribute { data_type, string: Some(trace), binary: None };
            (TRACE_HEADER.to_owned(), attribute)
        });
        digest(&header.into_iter().collect())
    }

    /// Bytes that count towards the limit: body, and names, types and values of attributes.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, a)| {
            let value =
                a.string.as_ref().map_or(0, String::len) + a.binary.as_ref().map_or(0, Vec::len);
            name.len() + a.data_type.len() + value
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

fn digest(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    let add = |md5: &mut Md5, bytes: &[u8]| {
        md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        md5.update(bytes);
    };
    for (name, attribute) in attributes {
        add(&mut md5, name.as_bytes());
        add(&mut md5, attribute.data_type.as_bytes());
        let (kind, value) = match (&attribute.string, &attribute.binary) {
            (Some(text), _) => (1_u8, text.as_bytes()),
            (None, Some(bytes)) => (2, bytes.as_slice()),
            (None, None) => (1, [].as_slice()),
        };
        md5.update([kind]);
        add(&mut md5, value);
    }
    Some(hex(&md5.finalize()))
}
