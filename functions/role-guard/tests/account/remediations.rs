//! Every remediation of role-guard, and its undo, cut off before and after each of its calls.

use crate::home::{
    Home, admin, attach, everything, inline, lambda_trust, long_orders, managed, open, opt_in, orders, policy,
    policy_resource, queue, role, shop, write_version, written,
};
use jiff::SignedDuration;
use role_guard::RoleGuard;
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::Step,
    model::{content::Content, surface::Surface},
};
use warden_testing::{
    Fault, Port,
    guarded::{self, Violation as _},
};

/// Something bad: how the account was before, what happens, the events that say so, and the calls that put it right.
struct Violation {
    name: &'static str,
    before: fn(&Home),
    change: fn(&Home),
    events: Vec<(&'static str, Value)>,
    calls: &'static [&'static str],
}

fn put(name: &str) -> (&'static str, Value) {
    ("PutRolePolicy", json!({"roleName": "pay", "policyName": name}))
}

fn of_policy(name: &'static str) -> (&'static str, Value) {
    (name, json!({"policyArn": managed("data")}))
}

fn violations() -> Vec<Violation> {
    vec![
        Violation {
            name: "a wildcard beside what is right",
            before: |_| {},
            change: |home| {
                let document = policy(&[orders(), everything(), queue()]);
                home.write(&role("pay"), &inline("orders"), &written(&document));
            },
            events: vec![put("orders")],
            calls: &["PutRolePolicy(pay, orders)"],
        },
        Violation {
            name: "a new policy of which nothing may stay",
            before: |_| {},
            change: |home| home.write(&role("pay"), &inline("debug"), &written(&policy(&[everything()]))),
            events: vec![put("debug")],
            calls: &["DeleteRolePolicy(pay, debug)"],
        },
        Violation {
            name: "a policy with which the role writes its own",
            before: |_| {},
            change: |home| {
                let own =
                    json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": role("pay").to_string()});
                home.write(&role("pay"), &inline("orders"), &written(&policy(&[orders(), own])));
            },
            events: vec![put("orders")],
            calls: &["PutRolePolicy(pay, orders)"],
        },
        Violation {
            name: "an administrator's policy attached",
            before: |_| {},
            change: |home| attach(home, &role("pay"), &admin()),
            events: vec![("AttachRolePolicy", json!({"roleName": "pay", "policyArn": admin()}))],
            calls: &["DetachRolePolicy(pay, AdministratorAccess)"],
        },
        Violation {
            name: "an opened trust policy",
            before: |_| {},
            change: |home| {
                let anybody = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"});
                let document = policy(&[lambda_trust()["Statement"][0].clone(), anybody]);
                home.write(&role("pay"), &Surface::Trust, &written(&document));
            },
            events: vec![("UpdateAssumeRolePolicy", json!({"roleName": "pay"}))],
            calls: &["UpdateAssumeRolePolicy(pay)"],
        },
        Violation {
            name: "a boundary removed",
            before: |home| {
                let bound = Content::of_policy(&managed("bound"), &Content::ABSENT);
                home.put(&role("pay"), &Surface::Boundary, bound);
            },
            change: |home| home.put(&role("pay"), &Surface::Boundary, Content::ABSENT),
            events: vec![("DeleteRolePermissionsBoundary", json!({"roleName": "pay"}))],
            calls: &["PutRolePermissionsBoundary(pay, bound)"],
        },
        Violation {
            name: "a boundary replaced by a wider one",
            before: |home| {
                let bound = Content::of_policy(&managed("bound"), &Content::ABSENT);
                home.put(&role("pay"), &Surface::Boundary, bound);
            },
            change: |home| home.put(&role("pay"), &Surface::Boundary, Content::of_policy(&admin(), &Content::ABSENT)),
            events: vec![("PutRolePermissionsBoundary", json!({"roleName": "pay"}))],
            calls: &["PutRolePermissionsBoundary(pay, bound)"],
        },
        Violation {
            name: "a bad version of a policy that carries the tag",
            before: |home| {
                home.tag(&policy_resource(&managed("data")), "warden", "enforce");
                attach(home, &role("pay"), &managed("data"));
            },
            change: |home| write_version(home, &managed("data"), &policy(&[everything()])),
            events: vec![of_policy("CreatePolicyVersion")],
            calls: &["SetDefaultPolicyVersion(data, v1)"],
        },
        Violation {
            name: "a bad version of a policy that carries the tag, and the good one is deleted",
            before: |home| {
                home.tag(&policy_resource(&managed("data")), "warden", "enforce");
                attach(home, &role("pay"), &managed("data"));
            },
            change: |home| {
                write_version(home, &managed("data"), &policy(&[queue(), everything()]));
                home.world.managed(&managed("data"), |data| data.versions.retain(|version| version.id != "v1"));
            },
            events: vec![of_policy("SetDefaultPolicyVersion")],
            calls: &["CreatePolicyVersion(data)"],
        },
        Violation {
            name: "five versions, none of them as it was",
            before: |home| {
                home.tag(&policy_resource(&managed("data")), "warden", "enforce");
                attach(home, &role("pay"), &managed("data"));
            },
            change: |home| {
                let planted = |sid: &str| {
                    let mut statement = queue();
                    statement["Sid"] = sid.into();
                    policy(&[statement, everything()])
                };
                for sid in ["A", "B", "C", "D"] {
                    write_version(home, &managed("data"), &planted(sid));
                }
                home.world.managed(&managed("data"), |data| data.versions.retain(|version| version.id != "v1"));
                write_version(home, &managed("data"), &planted("E"));
            },
            events: vec![of_policy("CreatePolicyVersion")],
            calls: &["CreatePolicyVersion(data, in place of v2)"],
        },
        Violation {
            name: "a bad version of a policy that others have",
            before: |home| {
                attach(home, &role("pay"), &managed("data"));
                attach(home, &role("other"), &managed("data"));
            },
            change: |home| write_version(home, &managed("data"), &policy(&[orders(), everything()])),
            events: vec![of_policy("CreatePolicyVersion")],
            calls: &["PutRolePolicy(pay, warden-data-fce24bbe)", "DetachRolePolicy(pay, data)"],
        },
        Violation {
            name: "a bad version of a policy that others have, and no room in the role",
            before: |home| {
                home.write(&role("pay"), &inline("long"), &written(&policy(&[long_orders(9_000)])));
                write_version(home, &managed("data"), &policy(&[long_orders(5_000)]));
                attach(home, &role("pay"), &managed("data"));
                attach(home, &role("other"), &managed("data"));
            },
            change: |home| write_version(home, &managed("data"), &policy(&[long_orders(5_000), everything()])),
            events: vec![of_policy("CreatePolicyVersion")],
            calls: &[
                "CreatePolicy(pay-data-ccef4928), AttachRolePolicy(pay, pay-data-ccef4928)",
                "DetachRolePolicy(pay, data)",
            ],
        },
        Violation {
            name: "a role swapped",
            before: |_| {},
            change: |home| home.put(&shop(), &Surface::Role(None), Content::new(json!({"Role": role("strong")}))),
            events: vec![("UpdateFunctionConfiguration", json!({"functionName": "shop"}))],
            calls: &["UpdateFunctionConfiguration(shop, Role shop)"],
        },
    ]
}

impl guarded::Violation<RoleGuard> for Violation {
    fn name(&self) -> &str {
        self.name
    }

    fn calls(&self) -> &[&str] {
        self.calls
    }

    async fn happens(&self) -> (Home, Vec<Value>) {
        let home = open(&[]);
        (self.before)(&home);
        let home = opt_in(home).await;
        (self.change)(&home);
        let events = self.events.iter().map(|(name, parameters)| home.event(name, parameters.clone())).collect();
        (home, events)
    }
}

warden_testing::holds_for_every!(violations());

/// What the default version says is back, but not yet what had made room: that shows nowhere. The guard does not take
/// it for done, and leaves it alone as long as it is accepted; then it puts it right.
#[tokio::test]
async fn an_undo_that_was_cut_off_where_no_content_shows_it_waits_for_its_person() {
    let violation = violations().into_iter().find(|it| it.name == "five versions, none of them as it was").unwrap();
    for (request, resumed) in [(0, true), (1, true), (1, false)] {
        let (home, events) = violation.happens().await;
        let original = home.contents();
        home.deliver_all(&events).await;
        let [applied] = home.steps(Step::Applied).try_into().expect("one remediation");
        home.fault_at(Port::Request, request, Fault::CrashBefore);
        assert_eq!(home.run(home.undo(&applied)).await, None);
        home.heal();
        home.pass(SignedDuration::from_mins(5)).await;
        let half = home.contents();
        assert_ne!(half, original);
        home.deliver_all(&events).await;
        home.sweep_all().await;
        assert_eq!(home.contents(), half);
        if resumed {
            home.undo(&applied).await.unwrap();
            assert_eq!(home.contents(), original);
            home.sweep_all().await;
            assert_eq!(home.contents(), original);
        } else {
            home.pass(SignedDuration::from_hours(25)).await;
            home.sweep_all().await;
            assert_eq!(home.steps(Step::Failed).len(), 1);
            assert_eq!(home.steps(Step::Applied).len(), 2);
        }
    }
}
