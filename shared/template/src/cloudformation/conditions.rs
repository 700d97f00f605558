//! Whether a condition of the template holds.

use super::Scope;
use serde_json::Value;

/// Conditions that ask for each other, deeper than any template has them.
const DEEPEST: usize = 64;

impl Scope<'_> {
    /// A condition by its name. One that is not there, or that asks for itself, does not hold.
    pub(super) fn condition(&self, name: &str) -> bool {
        self.named(name, 0)
    }

    /// Whether the two arguments of Fn::Equals are the same.
    pub(super) fn is_same(&self, arguments: &Value) -> bool {
        match arguments.as_array().map(Vec::as_slice) {
            Some([left, right]) => self.closed(|| {
                // `true` and "true" are the same, as a parameter's value is always text.
                match (self.resolved_text(left), self.resolved_text(right)) {
                    (None, None) => self.resolve(left) == self.resolve(right),
                    (left, right) => left == right,
                }
            }),
            Some(_) | None => false,
        }
    }

    fn named(&self, name: &str, depth: usize) -> bool {
        if let Some(known) = self.conditions.borrow().get(name) {
            return *known;
        }
        self.conditions.borrow_mut().insert(name.to_owned(), false);
        let condition = self.template.get("Conditions").and_then(|conditions| conditions.get(name));
        if condition.is_none() {
            self.no_conditions.borrow_mut().insert(name.to_owned());
        }
        let holds = depth < DEEPEST && condition.is_some_and(|condition| self.holds(condition, depth + 1));
        self.conditions.borrow_mut().insert(name.to_owned(), holds);
        holds
    }

    fn holds(&self, condition: &Value, depth: usize) -> bool {
        let Some((function, argument)) = condition.as_object().and_then(|map| map.iter().next()) else {
            return condition == "true" || condition == true;
        };
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match function.as_str() {
            "Condition" => argument.as_str().is_some_and(|name| self.named(name, depth)),
            "Fn::Not" => !arguments.first().is_some_and(|argument| self.holds(argument, depth)),
            "Fn::And" => arguments.iter().all(|argument| self.holds(argument, depth)),
            "Fn::Or" => arguments.iter().any(|argument| self.holds(argument, depth)),
            "Fn::Equals" if self.variant.decided.is_empty() => self.is_same(argument),
            "Fn::Equals" => {
                let decided = self.variant.decided.get(&argument.to_string()).copied();
                decided.unwrap_or_else(|| self.is_same(argument))
            }
            // Fn::Contains and its like are for rules.
            _ => false,
        }
    }
}
