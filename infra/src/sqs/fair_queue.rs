use std::collections::{HashMap, VecDeque};

/// Numbers of visible messages, taken from one message group after the other, so that a group of
/// thousands does not keep another waiting: Amazon SQS Developer Guide, "Amazon SQS fair queues".
/// Messages without a group are one.
#[derive(Debug, Default)]
pub(super) struct FairOrder {
    groups: HashMap<Option<String>, VecDeque<u64>>,
    /// The groups that have messages; the next one first.
    order: VecDeque<Option<String>>,
    count: usize,
}

impl FairOrder {
    pub(super) fn push(&mut self, group: Option<&String>, number: u64) {
        let group = group.cloned();
        let waiting = self.groups.entry(group.clone()).or_default();
        if waiting.is_empty() {
            self.order.push_back(group);
        }
        waiting.push_back(number);
        self.count += 1;
    }

    pub(super) fn pop(&mut self) -> Option<u64> {
        let group = self.order.pop_front()?;
        let waiting = self.groups.get_mut(&group)?;
        let number = waiting.pop_front();
        self.count -= usize::from(number.is_some());
        if waiting.is_empty() {
            self.groups.remove(&group);
        } else {
            self.order.push_back(group);
        }
        number
    }

    pub(super) fn remove(&mut self, number: u64) {
        let before = self.count;
        self.groups.retain(|group, waiting| {
            let length = waiting.len();
            waiting.retain(|n| *n != number);
            self.count -= length - waiting.len();
            if waiting.is_empty() {
                self.order.retain(|g| g != group);
            }
            !waiting.is_empty()
        });
        debug_assert!(before - self.count <= 1, "a message is visible once");
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_take_turns_and_each_keeps_its_order() {
        let mut order = FairOrder::default();
        let (a, b) = ("a".to_owned(), "b".to_owned());
        (0..5).for_each(|n| order.push(Some(&a), n));
        order.push(Some(&b), 10);
        order.push(None, 20);
        order.push(Some(&b), 11);
        order.remove(1);
        assert_eq!(order.len(), 7);
        let popped: Vec<_> = std::iter::from_fn(|| order.pop()).collect();
        assert_eq!(popped, [0, 10, 20, 2, 11, 3, 4]);
        assert!(order.is_empty());
    }
}
