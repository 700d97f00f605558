//! Names that AWS gives, and words that about every name of a kind has in it.

/// What stands in a name for a hexadecimal digit that nobody could have guessed.
pub(super) const DIGIT: u8 = 5;

/// Sixteen hexadecimal digits.
macro_rules! sixteen {
    () => {
        "\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}"
    };
}

/// A UUID.
const UUID: &str = "\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}-\u{5}\u{5}\u{5}\u{5}-\u{5}\u{5}\u{5}\u{5}-\u{5}\u{5}\u{5}\u{5}-\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}";

/// Names that AWS gives, by service and what stands before them: everybody knows how they start and how long they are.
///
/// An id of EC2 has seventeen hexadecimal digits (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>),
/// and so have those of EFS and Systems Manager; those that are given start with a zero (? given-ids). Whoever
/// writes `i-0*` means every instance. A key of KMS and a certificate of ACM have a UUID
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-id>,
/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html>).
const GIVEN: &[(&str, &str, &str)] = &[
    ("acm", "certificate/", UUID),
    ("ec2", "capacity-reservation/", concat!("cr-0", sixteen!())),
    ("ec2", "dedicated-host/", concat!("h-0", sixteen!())),
    ("ec2", "elastic-ip/", concat!("eipalloc-0", sixteen!())),
    ("ec2", "image/", concat!("ami-0", sixteen!())),
    ("ec2", "instance-connect-endpoint/", concat!("eice-0", sixteen!())),
    ("ec2", "instance/", concat!("i-0", sixteen!())),
    ("ec2", "internet-gateway/", concat!("igw-0", sixteen!())),
    ("ec2", "launch-template/", concat!("lt-0", sixteen!())),
    ("ec2", "natgateway/", concat!("nat-0", sixteen!())),
    ("ec2", "network-acl/", concat!("acl-0", sixteen!())),
    ("ec2", "network-interface/", concat!("eni-0", sixteen!())),
    ("ec2", "route-table/", concat!("rtb-0", sixteen!())),
    ("ec2", "security-group/", concat!("sg-0", sixteen!())),
    ("ec2", "snapshot/", concat!("snap-0", sixteen!())),
    ("ec2", "subnet/", concat!("subnet-0", sixteen!())),
    ("ec2", "transit-gateway/", concat!("tgw-0", sixteen!())),
    ("ec2", "volume/", concat!("vol-0", sixteen!())),
    ("ec2", "vpc-endpoint/", concat!("vpce-0", sixteen!())),
    ("ec2", "vpc-peering-connection/", concat!("pcx-0", sixteen!())),
    ("ec2", "vpc/", concat!("vpc-0", sixteen!())),
    ("elasticfilesystem", "access-point/", concat!("fsap-0", sixteen!())),
    ("elasticfilesystem", "file-system/", concat!("fs-0", sixteen!())),
    ("fsx", "backup/", concat!("backup-0", sixteen!())),
    ("fsx", "file-system/", concat!("fs-0", sixteen!())),
    ("kms", "key/", UUID),
    ("ssm", "managed-instance/", concat!("mi-0", sixteen!())),
];

/// The name that AWS gives to what a template stands for, after what stands before it.
pub(super) fn given_name(template: &[u8]) -> Option<(&'static str, &'static str)> {
    let from_service = super::after_partition(template);
    // Most templates are of none of these services.
    if !matches!(from_service.get(..3), Some(b"acm" | b"ec2" | b"ela" | b"fsx" | b"kms" | b"ssm")) {
        return None;
    }
    let service = from_service.split(|byte| *byte == b':').next()?;
    let kind = super::resource_of(template)?.strip_suffix(&[super::NAME])?;
    let find = |(of, what, _): &(&str, &str, &str)| (of.as_bytes(), what.as_bytes()).cmp(&(service, kind));
    GIVEN.binary_search_by(find).ok().and_then(|found| GIVEN.get(found)).map(|(_, kind, name)| (*kind, *name))
}

/// Names that people give, by service and what stands before them; whether a slash may be in them; and the words for
/// the kind, which CloudFormation's names have in them, since they are made of what the resource is called in its
/// template (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html>): `OrdersTable`,
/// `ResizeServiceRole`. A slash is in about every name of a secret or a parameter, as AWS's own examples have it.
const COMMON: &[(&str, &str, bool, &[&str])] = &[
    ("dynamodb", "table/", false, &["table"]),
    ("ecr", "repository/", true, &["repo", "repository"]),
    ("iam", "group/", true, &["group"]),
    ("iam", "instance-profile/", true, &["instanceprofile", "profile"]),
    ("iam", "policy/", true, &["policy"]),
    ("iam", "role/", true, &["role"]),
    ("iam", "user/", true, &["user"]),
    ("lambda", "function:", false, &["function", "lambda"]),
    ("secretsmanager", "secret:", true, &["secret"]),
    ("ssm", "parameter/", true, &["param", "parameter"]),
];

/// The kind of which a pattern leaves out only names without what about every such name has: `role/*Role*`,
/// `secret:*/*`. A user is often called by an address, of which everybody at one place has the same end:
/// `user/*@example.com` is all of them.
pub(super) fn all_of_kind(service: &str, resource: &str) -> Option<&'static str> {
    // A name that starts with something is no such pattern, and one that is a star needs no other.
    let (before, name) = resource.split_at_checked(resource.find(['*', '?'])?)?;
    if !before.ends_with(['/', ':']) || name == "*" || !name.trim_start_matches('?').starts_with('*') {
        return None;
    }
    let (_, kind, slashes, words) = COMMON.iter().find(|(of, kind, ..)| *of == service && *kind == before)?;
    let is_address = || {
        *kind == "user/"
            && name.split_once('@').is_some_and(|(who, at)| who.bytes().all(|byte| byte == b'*') && !at.contains('@'))
    };
    let word: String = name
        .chars()
        .filter(|letter| !(matches!(letter, '*' | '?' | '-' | '_' | '.') || *slashes && *letter == '/'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    (word.is_empty() || words.contains(&word.as_str()) || is_address()).then_some(*kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service_table;

    #[test]
    fn the_names_are_of_what_there_is() {
        let templates: Vec<&[u8]> = (0..service_table::ACTIONS)
            .flat_map(|action| service_table::templates(service_table::type_set(action)))
            .map(service_table::template)
            .collect();
        let known = |service: &str, kind: &str| {
            templates.iter().any(|template| {
                let start = format!("{service}:");
                super::super::after_partition(template).starts_with(start.as_bytes())
                    && super::super::resource_of(template) == Some(format!("{kind}\u{4}").as_bytes())
            })
        };
        assert!(GIVEN.is_sorted() && COMMON.is_sorted());
        for (service, kind, name) in GIVEN {
            assert!(known(service, kind), "{service} {kind}");
            let template = format!("arn:\u{1}:{service}:\u{2}:\u{3}:{kind}\u{4}");
            assert_eq!(given_name(template.as_bytes()), Some((*kind, *name)));
        }
        for (service, kind, ..) in COMMON {
            assert!(known(service, kind), "{service} {kind}");
        }
        assert_eq!(given_name(b"arn:\x01:iam::\x03:instance/\x04"), None);
        assert_eq!(given_name(b"arn:\x01:kms:\x02:\x03:alias/\x04"), None);
    }
}
