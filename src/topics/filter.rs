//! Which messages a reader wants, by the fields of their forms. It never keeps a message.

use crate::http::form;
use crate::model::Message;

/// Fields that a message must have: of each name any of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    fields: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Filter {
    /// A further value for a field.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.to_vec()),
            None => self.fields.push((name.to_vec(), vec![value.to_vec()])),
        }
        self.fields.iter_mut().for_each(|(_, values)| values.sort());
        self.fields.sort();
    }

    /// Whether a message has what is asked for.
    #[must_use]
    pub fn lets_through(&self, message: &Message) -> bool {
        let has = |name: &[u8], values: &[Vec<u8>]| {
            form::fields(&message.body).any(|field| {
                let value = form::decode(field.value);
                form::decode(field.name)[..] == *name && values.iter().any(|it| **it == *value)
            })
        };
        self.fields.iter().all(|(name, values)| has(name, values))
    }
}
