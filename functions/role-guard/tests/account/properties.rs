//! The four laws, over generated roles: planning again after applying gives no plan, applying twice is applying once,
//! undo restores the original exactly, and no plan touches what it does not declare.

use crate::home::{
    Home, admin, attach, attachment, inline, lambda_trust, managed, open, opt_in, orders, policy, policy_resource,
    queue, role, write_version, written,
};
use jiff::SignedDuration;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseError,
};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use warden_engine::{
    ledger::record::{Record, Step},
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
    name::iam::PolicyArn,
};
use warden_testing::{
    Port,
    guarded::{plan_of, surface},
    target,
};

/// What the role `pay` may hold.
#[derive(Clone, Debug)]
struct Contents {
    trust: Value,
    boundary: Option<PolicyArn>,
    inline: [Option<Value>; 2],
    admin: bool,
    data: bool,
    /// What the managed policy says.
    said: Value,
}

#[derive(Clone, Debug)]
struct Account {
    variables: Vec<(&'static str, &'static str)>,
    before: Contents,
    after: Contents,
    /// Whether the managed policy carries the tag, and another role has it.
    tagged: bool,
    shared: bool,
    order: Vec<Index>,
}

fn statement() -> impl Strategy<Value = Value> {
    let actions = select(vec![
        json!("*"),
        json!("s3:*"),
        json!("s3:GetObject"),
        json!(["sqs:SendMessage", "iam:PassRole"]),
        json!(["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]),
        json!("codedeploy:CreateDeployment"),
        json!("codedeploy:RegisterApplicationRevision"),
        json!("logs:PutLogEvents"),
        json!("mallory:Everything"),
    ]);
    let resources = select(vec![
        json!("*"),
        json!("arn:aws:s3:::orders/*"),
        json!(["arn:aws:s3:::orders/*", "*"]),
        json!("arn:aws:iam::111122223333:role/app-*"),
        json!("arn:aws:*:*:*:*"),
    ]);
    let effect = prop_oneof![9 => Just("Allow"), 1 => Just("Deny")];
    let condition = option::weighted(
        0.2,
        select(vec![
            json!({"StringEquals": {"aws:ResourceTag/team": "pay"}}),
            json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
        ]),
    );
    (effect, actions, 0..12, resources, 0..12, condition).prop_map(
        |(effect, actions, not_action, resources, not_resource, condition)| {
            let mut statement = json!({"Effect": effect});
            statement[if not_action == 0 { "NotAction" } else { "Action" }] = actions;
            statement[if not_resource == 0 { "NotResource" } else { "Resource" }] = resources;
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        },
    )
}

fn document() -> impl Strategy<Value = Value> {
    let known = prop_oneof![Just(orders()), Just(queue()), statement(), statement()];
    vec(known, 1..4).prop_map(|statements| {
        let named = statements.into_iter().enumerate().map(|(index, mut statement)| {
            if index % 2 == 0 {
                statement["Sid"] = format!("Sid{index}").into();
            }
            statement
        });
        policy(&named.collect::<Vec<_>>())
    })
}

fn trust() -> impl Strategy<Value = Value> {
    let more = select(vec![
        json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::999999999999:root", "111122223333"]},
            "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"}),
        json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}),
    ]);
    (any::<bool>(), option::weighted(0.3, more)).prop_map(|(standard, more)| {
        let standard = (standard || more.is_none()).then(|| lambda_trust()["Statement"][0].clone());
        policy(&standard.into_iter().chain(more).collect::<Vec<_>>())
    })
}

fn contents() -> impl Strategy<Value = Contents> {
    let boundary = option::weighted(0.3, select(vec![managed("bound"), admin()]));
    let inline = [option::of(document()), option::of(document())];
    (trust(), boundary, inline, any::<bool>(), any::<bool>(), document()).prop_map(
        |(trust, boundary, inline, admin, data, said)| Contents { trust, boundary, inline, admin, data, said },
    )
}

fn account() -> impl Strategy<Value = Account> {
    let variables = (select(vec!["medium", "high", "high", "critical"]), select(vec!["withhold", "act"]))
        .prop_map(|(threshold, standing)| vec![("WARDEN_THRESHOLD", threshold), ("WARDEN_PRE_EXISTING", standing)]);
    // As often as not the account is in order before the change.
    let tidy = Contents {
        trust: lambda_trust(),
        boundary: None,
        inline: [Some(policy(&[orders()])), None],
        admin: false,
        data: true,
        said: policy(&[queue()]),
    };
    let before = prop_oneof![Just(tidy), contents()];
    (variables, before, contents(), any::<bool>(), any::<bool>(), vec(any::<Index>(), 8)).prop_map(
        |(variables, before, after, tagged, shared, order)| Account { variables, before, after, tagged, shared, order },
    )
}

fn holds(law: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    Builder::new_current_thread().build().unwrap().block_on(law)
}

impl Account {
    fn put(&self, home: &Home, contents: &Contents) {
        let pay = role("pay");
        home.write(&pay, &Surface::Trust, &written(&contents.trust));
        let boundary = contents.boundary.as_ref().map(|policy| Content::of_policy(policy, &Content::ABSENT));
        home.put(&pay, &Surface::Boundary, boundary.unwrap_or_default());
        for (name, document) in ["orders", "more"].into_iter().zip(&contents.inline) {
            match document {
                Some(document) => home.write(&pay, &inline(name), &written(document)),
                None => home.clear(&pay, &inline(name)),
            }
        }
        for (policy, attached) in [(admin(), contents.admin), (managed("data"), contents.data)] {
            if attached { attach(home, &pay, &policy) } else { home.clear(&pay, &attachment(&policy)) }
        }
        write_version(home, &managed("data"), &contents.said);
    }

    /// The account as it was before, opted in and known to the guard; then as it is after the change.
    async fn changed(&self) -> Home {
        let home = open(&self.variables);
        if self.tagged {
            home.tag(&policy_resource(&managed("data")), "warden", "enforce");
        }
        if self.shared {
            attach(&home, &role("other"), &managed("data"));
        }
        self.put(&home, &self.before);
        let home = opt_in(home).await;
        home.sweep_all().await;
        home.pass(SignedDuration::from_mins(2)).await;
        self.put(&home, &self.after);
        home
    }

    /// The guard sees the change, by its events or by the sweep.
    async fn see(&self, home: &Home) {
        if self.order[0].index(2) == 0 {
            home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("data")}))).await;
            for name in ["orders", "more"] {
                home.deliver(&home.event("PutRolePolicy", json!({"roleName": "pay", "policyName": name}))).await;
            }
            home.deliver(&home.event("UpdateAssumeRolePolicy", json!({"roleName": "pay"}))).await;
        } else {
            home.sweep_all().await;
        }
    }
}

/// A plan changes its own surface alone, or what stands in for an attached policy.
fn stays_within(record: &Record) -> Result<(), TestCaseError> {
    let plan = plan_of(record);
    let mut declared = vec![plan.surface().clone()];
    if let Surface::Attachment(policy) = plan.surface() {
        declared.push(Surface::InlinePolicy(policy.stand_in()));
        let Resource::Role(role) = &record.resource else { panic!("policies are attached to roles") };
        declared.push(attachment(policy.copy_for(role).policy()));
    }
    for change in plan.changes() {
        for (resource, surface) in [target(change.call()), target(change.undo())] {
            prop_assert_eq!(&resource, &record.resource);
            prop_assert!(declared.contains(&surface), "{surface}");
        }
    }
    Ok(())
}

/// The statements of a document.
fn statements(content: &Content) -> Vec<Value> {
    content.document().and_then(|document| document["Statement"].as_array().cloned()).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_again_after_applying_gives_no_plan(account in account()) {
        holds(async {
            let home = account.changed().await;
            account.see(&home).await;
            prop_assert_eq!(home.steps(Step::Failed), vec![]);
            let (contents, planned) = (home.contents(), home.steps(Step::Planned).len());
            home.pass(SignedDuration::from_mins(2)).await;
            home.sweep_all().await;
            prop_assert_eq!(home.contents(), contents);
            prop_assert_eq!(home.steps(Step::Planned).len(), planned);
            Ok(())
        })?;
    }

    #[test]
    fn applying_twice_is_applying_once(account in account()) {
        holds(async {
            let home = account.changed().await;
            account.see(&home).await;
            let (contents, calls) = (home.contents(), home.calls_at(Port::Call));
            // What is left of a statement that was narrowed is something new to report, once.
            account.see(&home).await;
            let story = home.story();
            account.see(&home).await;
            prop_assert_eq!(home.contents(), contents);
            prop_assert_eq!(home.story(), story);
            prop_assert_eq!(home.calls_at(Port::Call), calls);
            Ok(())
        })?;
    }

    #[test]
    fn undo_restores_the_original_exactly_and_it_stays(account in account()) {
        holds(async {
            let home = account.changed().await;
            let original = home.contents();
            let earlier = home.steps(Step::Applied);
            account.see(&home).await;
            let mut applied = home.steps(Step::Applied);
            applied.retain(|record| !earlier.contains(record));
            // Backwards: what one remediation left can be what the next one found.
            while let Some(record) = applied.pop() {
                home.undo(&record).await.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            }
            prop_assert_eq!(home.contents(), original);
            Ok(())
        })?;
    }

    #[test]
    fn no_plan_touches_what_it_does_not_declare(account in account()) {
        holds(async {
            let home = account.changed().await;
            let bystanders: Vec<(Resource, Surface)> =
                [(role("other"), Surface::Trust), (role("strong"), inline("all")),
                    (role("shop"), surface("trust"))].into();
            let before: Vec<Content> = bystanders.iter().map(|(resource, surface)| home.content(resource,
                surface)).collect();
            account.see(&home).await;
            for record in home.steps(Step::Planned) {
                stays_within(&record)?;
                // What no finding names stays word for word, unless the whole baseline came back.
                let plan = plan_of(&record);
                if let (Surface::InlinePolicy(_), false) = (plan.surface(),
                    record.entry.findings.iter().any(|it| !it.at.contains('['))) {
                    let named = |index: &usize| {
                        let place = format!("Statement[{index}]");
                        record.entry.findings.iter().any(|finding| finding.at.starts_with(&place))
                    };
                    let after = statements(plan.after());
                    for (index, statement) in statements(plan.before()).iter().enumerate() {
                        prop_assert!(named(&index) || after.contains(statement), "{statement} of {:?}", plan.after());
                    }
                }
            }
            let after: Vec<Content> = bystanders.iter().map(|(resource, surface)| home.content(resource,
                surface)).collect();
            prop_assert_eq!(before, after);
            Ok(())
        })?;
    }
}
