//! What an operator does, through the role that the stack has for that.

use crate::{Account, arn};
use jiff::SignedDuration;
use secrecy::SecretString;
use warden_aws::Aws;
use warden_engine::{
    ledger::record::Record,
    model::{cloudtrail::Cause, settings::Settings},
    name::lambda::{FunctionArn, Home},
    run::undo::{Undo, UndoRefusal},
    secret::{
        environment::VariableName,
        rotate::{Rotate, RotateRefusal},
    },
};
use warden_sandbox::ACCOUNT;

impl Account {
    /// The account as the operator reaches it, and the settings that the guards work by.
    pub async fn operator(&self) -> (Aws, Settings) {
        let role = self.outputs["OperatorRole"].clone();
        let session = self.sandbox.session(&role, "alice").await.expect("a session");
        let aws = Aws::new(self.sandbox.config_as(session, "us-east-1"), self.deployment.clone());
        let partition = "aws".parse().expect("a partition");
        let home = Home { partition, region: "us-east-1".into(), account: ACCOUNT.parse().expect("an account") };
        let layer = self.secret_layer();
        let settings = Settings::read(home, |name| match name {
            "WARDEN_SECRET_LAYERS" => Some(format!("x86_64={layer}")),
            _ => None,
        });
        (aws, settings.expect("settings"))
    }

    /// What `warden undo` does, with an acceptance for a week.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn undo(&self, record: Record) -> Result<Vec<Record>, UndoRefusal> {
        let (aws, settings) = self.operator().await;
        let accept_for = SignedDuration::from_hours(7 * 24);
        let cause = Cause::by_hand("warden undo");
        let undo = Undo { record, accept_for, by: "alice".into(), cause, findings: Vec::new(), although: None };
        undo.carry_out(&aws, &settings).await
    }

    /// What `warden rotate` does.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn rotate(&self, name: &str, variable: &str, value: &str) -> Result<Vec<Record>, RotateRefusal> {
        let (aws, settings) = self.operator().await;
        let function: FunctionArn = arn(name).parse().expect("a function");
        let variable: VariableName = variable.parse().expect("a variable");
        let kept = aws.kept(&function, &variable).await?.expect("the function").expect("a value that is kept");
        let hash = aws.hash_key().await?.hash(value);
        let rotate = Rotate { function, variable, by: "alice".into(), cause: Cause::by_hand("warden rotate") };
        let plan = rotate.plan(&kept, hash, None)?;
        rotate.carry_out(&aws.with_value(SecretString::from(value)), &settings, &plan).await
    }
}
