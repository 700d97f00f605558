//! Addresses of Terraform, such as `module.shop["a.b"].aws_iam_role.pay[0]`
//! (<https://developer.hashicorp.com/terraform/cli/state/resource-addressing>).

use std::{collections::BTreeSet, fmt};

/// A word of an address, with its index as it is written, where it has one: `pay` and `["a"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) index: Option<&'a str>,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.index.unwrap_or_default())
    }
}

/// The words of an address. What is within an index divides nothing.
pub(super) fn steps(address: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = address;
    while !rest.is_empty() {
        let (name, after) = split(rest, rest.find(['.', '[']).unwrap_or(rest.len()));
        let (index, after) = split(after, length_of_index(after));
        steps.push(Step { name, index: Some(index).filter(|index| !index.is_empty()) });
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    steps
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// How long the index is that a text begins with, in bytes: all of it, if the index has no end.
fn length_of_index(text: &str) -> usize {
    if !text.starts_with('[') {
        return 0;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ']' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The address without indexes, as the configuration has it.
pub(super) fn without_indexes(address: &str) -> String {
    let names: Vec<&str> = steps(address).into_iter().map(|step| step.name).collect();
    let end = if address.ends_with('.') { "." } else { "" };
    format!("{}{end}", names.join("."))
}

/// The module around a module: `module.shop.` for `module.shop.module.pay["a"].`, nothing for a module of the root.
pub(super) fn outer(module: &str) -> String {
    let steps = steps(module);
    let outer = steps.split_last_chunk::<2>().map(|(outer, _)| outer).unwrap_or_default();
    outer.iter().map(|step| format!("{step}.")).collect()
}

/// A resource or data source, as an address or a reference to it names it. A reference may leave out indexes, and may
/// go on to an attribute.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The module it is in, with its dot: `module.shop["a"].`, or nothing.
    pub(super) module: String,
    /// As the configuration has it: `module.shop.aws_iam_role.pay`.
    pub(super) block: String,
    /// Of each module, and of the resource itself.
    indexes: Vec<Option<String>>,
    /// What a reference asks of it: `arn`.
    pub(super) attribute: Option<String>,
}

impl Address {
    pub(super) fn of(address: &str) -> Option<Self> {
        let steps = steps(address);
        let (mut rest, mut module, mut indexes) = (steps.as_slice(), String::new(), Vec::new());
        while let [Step { name: "module", .. }, called, inner @ ..] = rest {
            module.push_str(&format!("module.{called}."));
            indexes.push(called.index.map(str::to_owned));
            rest = inner;
        }
        let (data, rest) = match rest {
            [Step { name: "data", .. }, rest @ ..] => ("data.", rest),
            rest => ("", rest),
        };
        let [kind, resource, attribute @ ..] = rest else { return None };
        indexes.push(resource.index.map(str::to_owned));
        let block = format!("{}{data}{}.{}", without_indexes(&module), kind.name, resource.name);
        let attribute = attribute.first().map(|step| step.name.to_owned());
        Some(Self { module, block, indexes, attribute })
    }

    /// Whether a reference may mean that resource of its block.
    pub(super) fn may_be(&self, resource: &Self) -> bool {
        let both = self.indexes.iter().zip(&resource.indexes);
        both.into_iter().all(|(named, own)| named.is_none() || named == own)
    }

    /// The index of the resource itself.
    pub(super) fn own_index(&self) -> Option<&str> {
        self.indexes.last()?.as_deref()
    }

    /// Its index and those of its modules, each once.
    pub(super) fn indexes(&self) -> BTreeSet<&str> {
        self.indexes.iter().flatten().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_may_have_dots_and_brackets() {
        let address = Address::of(r#"module.a["x.y"].module.b.aws_iam_role.pay["z[0].\"]"].name"#).unwrap();
        assert_eq!(address.module, r#"module.a["x.y"].module.b."#);
        assert_eq!(address.block, "module.a.module.b.aws_iam_role.pay");
        assert_eq!(address.attribute.as_deref(), Some("name"));
        assert_eq!(outer(&address.module), r#"module.a["x.y"]."#);
        assert_eq!(outer("module.a[0]."), "");
        assert_eq!(outer(""), "");
        assert_eq!(without_indexes(&address.module), "module.a.module.b.");
        assert_eq!(
            Address::of("data.aws_iam_policy_document.pay[0]").unwrap().block,
            "data.aws_iam_policy_document.pay"
        );
        for odd in ["", ".", "[", "a[\"", "module.a", "module", "a", "é[é]é", "each.key"] {
            let _either = Address::of(odd);
        }
    }

    #[test]
    fn a_reference_means_what_has_its_indexes() {
        let of = |address| Address::of(address).unwrap();
        let pay = of(r#"module.a["x"].aws_iam_role.pay[0]"#);
        for reference in ["module.a.aws_iam_role.pay.arn", r#"module.a["x"].aws_iam_role.pay"#] {
            assert!(of(reference).may_be(&pay), "{reference}");
        }
        for reference in ["module.a.aws_iam_role.pay[1].arn", r#"module.a["y"].aws_iam_role.pay[0]"#] {
            assert!(!of(reference).may_be(&pay), "{reference}");
        }
        assert_eq!(pay.own_index(), Some("[0]"));
        assert_eq!(pay.indexes().into_iter().collect::<Vec<_>>(), [r#"["x"]"#, "[0]"]);
        assert_eq!(of(r#"module.a["x"].aws_iam_role.pay"#).own_index(), None);
    }
}
