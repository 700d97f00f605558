//! Why a function would not start with the layer `secret-env`, and what its owner can do about it.

use crate::{
    Boundary, CodeSigning, Context, Facts, Package,
    judge::{is_ours, own_tag},
};
use warden_engine::{
    model::settings::Settings, name::lambda::FunctionArn, secret::environment::EnvironmentDigest,
    secret_ref::WRAPPER_VARIABLE,
};

/// Lambda's quota of layers (Lambda developer guide, "Lambda quotas").
const MOST_LAYERS: usize = 5;
/// Code and layers, unzipped (same page).
const MOST_BYTES: u64 = 250 * 1024 * 1024;
/// The runtimes that start a wrapper script, by family, with the first version on Amazon Linux 2
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html> and "Lambda runtimes"). Amazon Linux 1 lacks
/// what the layer needs. A version that is not out yet counts as its family: a new release of a language must not end
/// the stripping.
const RUNTIMES: &[(&str, &[u32])] =
    &[("nodejs", &[10]), ("python", &[3, 8]), ("ruby", &[2, 7]), ("java", &[11]), ("dotnet", &[6])];

/// In one place, since every obstacle has the same way around.
const BY_HAND: &str = "or set the tag warden:secrets=strip and let the code fetch it";

/// What is in the way of starting the function with the layer; none where it is sure to work.
pub(crate) fn preflight(
    function: &FunctionArn,
    facts: &Facts,
    known: &Context,
    digest: &EnvironmentDigest,
    settings: &Settings,
) -> Option<String> {
    let layered = digest.layers.iter().any(|layer| is_ours(layer, settings));
    let why = match &known.package {
        Package::Image => {
            Some(format!("a container image has no layers: build the layer's executable into the image, {BY_HAND}"))
        }
        Package::Unknown(kind) => Some(format!("the package type {kind} is not known here: {BY_HAND}")),
        Package::Zip => None,
    };
    why.or_else(|| runtime(known.runtime.as_deref()))
        .or_else(|| {
            let there = settings
                .secret_layers
                .get(&known.architecture)
                .is_some_and(|layer| layer.region() == function.region());
            (!there).then(|| {
                // Who changed the architecture can change it back.
                let back = if layered && digest.is_wrapped() {
                    "go back to the architecture that the function's layer \
                                                                is for, "
                } else {
                    ""
                };
                format!(
                    "the layer secret-env is not deployed for {} in {}: {back}deploy it there, {BY_HAND}",
                    known.architecture,
                    function.region()
                )
            })
        })
        .or_else(|| {
            let other = digest.variables.contains_key(WRAPPER_VARIABLE) && !digest.is_wrapped();
            other.then(|| {
                format!(
                    "{WRAPPER_VARIABLE} is taken by another wrapper, and there can be one only: do \
                                   without that one, {BY_HAND}"
                )
            })
        })
        .or_else(|| {
            let full = !layered && digest.layers.len() >= MOST_LAYERS;
            full.then(|| {
                format!(
                    "the function has {MOST_LAYERS} layers already, which is all it may have: make room \
                                  for one, {BY_HAND}"
                )
            })
        })
        .or_else(|| {
            (known.zipped_bytes > MOST_BYTES).then(|| {
                format!(
                    "code and layers have more than the 250 MB that leave room for another layer: make them \
                         smaller, {BY_HAND}"
                )
            })
        })
        .or_else(|| {
            match &known.code_signing {
                CodeSigning::Configured => Some(format!(
                    "a code-signing configuration takes signed layers only: sign the layer with a profile \
                                  of yours, {BY_HAND}"
                )),
                // What has the layer already was let have it.
                CodeSigning::Unknown(answer) if !layered => Some(format!(
                    "whether a code-signing configuration takes signed layers only is not known, since \
                     GetFunctionCodeSigningConfig answers {answer}: put that right, {BY_HAND}"
                )),
                CodeSigning::Unknown(_) | CodeSigning::None => None,
            }
        })
        .or_else(|| {
            (known.in_vpc && own_tag(facts).is_none()).then(|| {
                "the function runs in a VPC, from where Secrets Manager may be out of reach: see that it has a way \
                 there (an interface endpoint, or a NAT gateway), then set the tag warden:secrets=enforce on the \
                 function itself"
                    .to_owned()
            })
        })
        .or_else(|| {
            (known.boundary == Boundary::Lacks).then(|| {
                format!(
                    "the permissions boundary of {} does not surely allow secretsmanager:GetSecretValue on {}: allow \
                     it there, {BY_HAND}",
                    known.role, known.secret
                )
            })
        })
}

fn runtime(runtime: Option<&str>) -> Option<String> {
    let Some(runtime) = runtime else { return Some(format!("the function has no managed runtime: {BY_HAND}")) };
    let starts_wrappers = RUNTIMES.iter().any(|(family, first)| {
        runtime
            .strip_prefix(family)
            .and_then(version)
            .is_some_and(|(version, on_amazon_linux_2)| on_amazon_linux_2 || version.as_slice() >= *first)
    });
    (!starts_wrappers).then(|| {
        format!(
            "the runtime {runtime} starts no wrapper, so that nothing could fetch the \
                                        secret at the start: use a managed runtime, {BY_HAND}"
        )
    })
}

/// What stands behind a runtime's family: the version (`3.14`, and the 24 of `24.x`), and whether the name says that it
/// runs on Amazon Linux
/// 2 or later (`8.al2`, `25.al2023`). `None` where it is no version.
fn version(rest: &str) -> Option<(Vec<u32>, bool)> {
    let mut numbers = Vec::new();
    let mut on_amazon_linux_2 = false;
    for part in rest.split('.') {
        match part.parse() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                let system = part.strip_prefix("al").and_then(|system| system.parse::<u32>().ok());
                on_amazon_linux_2 = system.is_some_and(|system| system >= 2);
                break;
            }
        }
    }
    (!numbers.is_empty()).then_some((numbers, on_amazon_linux_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_on_amazon_linux_2_and_later_start_wrappers() {
        for name in [
            "nodejs18.x",
            "nodejs24.x",
            "python3.8",
            "python3.14",
            "ruby3.4",
            "java8.al2",
            "java21",
            "dotnet8",
            "dotnet10",
            // Names that are not out yet, and those whose name has the system in it.
            "nodejs26.x",
            "python3.16",
            "python4",
            "ruby4.0",
            "dotnet12",
            "java25",
            "java8.al2023",
            "java11.al2023",
            "java17.al2023",
            "java25.al2023",
            "java29.al2027",
            "nodejs28.x.al2027",
        ] {
            assert_eq!(runtime(Some(name)), None, "{name}");
        }
        for name in [
            "provided",
            "provided.al2023",
            "python2.7",
            "python3.7",
            "java8",
            "java8.al1",
            "nodejs",
            "nodejs4.3-edge",
            "python",
            "pythonx",
            "provided.al2027",
            "go1.x",
            "nodejs8.10",
            "dotnetcore3.1",
            "cobol1",
            "",
        ] {
            assert!(runtime(Some(name)).is_some(), "{name}");
        }
        assert!(runtime(None).is_some());
    }
}
