//! The accounts from which AWS publishes the layers of its own extensions, by Region. A layer's name is anybody's; its
//! account is not.
//!
//! From aws-cdk-lib 2.275.0, `region-info/lib/built-ins.generated.js` (facts `paramsAndSecretsLambdaLayer` and
//! `appConfigLambdaArn`), which follows the tables that AWS publishes:
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html> and
//! <https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions-versions.html>. In a
//! Region that is not here nobody is believed, and what the layer may read is the owner's to say.

/// AWS-Parameters-and-Secrets-Lambda-Extension.
pub(crate) const PARAMETERS_AND_SECRETS: &[(&str, &str)] = &[
    ("af-south-1", "317013901791"),
    ("ap-east-1", "768336418462"),
    ("ap-northeast-1", "133490724326"),
    ("ap-northeast-2", "738900069198"),
    ("ap-northeast-3", "576959938190"),
    ("ap-south-1", "176022468876"),
    ("ap-south-2", "070087711984"),
    ("ap-southeast-1", "044395824272"),
    ("ap-southeast-2", "665172237481"),
    ("ap-southeast-3", "490737872127"),
    ("ca-central-1", "200266452380"),
    ("cn-north-1", "287114880934"),
    ("cn-northwest-1", "287310001119"),
    ("eu-central-1", "187925254637"),
    ("eu-central-2", "772501565639"),
    ("eu-north-1", "427196147048"),
    ("eu-south-1", "325218067255"),
    ("eu-south-2", "524103009944"),
    ("eu-west-1", "015030872274"),
    ("eu-west-2", "133256977650"),
    ("eu-west-3", "780235371811"),
    ("me-central-1", "858974508948"),
    ("me-south-1", "832021897121"),
    ("sa-east-1", "933737806257"),
    ("us-east-1", "177933569100"),
    ("us-east-2", "590474943231"),
    ("us-gov-east-1", "129776340158"),
    ("us-gov-west-1", "127562683043"),
    ("us-west-1", "997803712105"),
    ("us-west-2", "345057560386"),
];

/// AWS-AppConfig-Extension.
pub(crate) const APP_CONFIG: &[(&str, &str)] = &[
    ("af-south-1", "574348263942"),
    ("ap-east-1", "630222743974"),
    ("ap-northeast-1", "980059726660"),
    ("ap-northeast-2", "826293736237"),
    ("ap-northeast-3", "706869817123"),
    ("ap-south-1", "554480029851"),
    ("ap-south-2", "489524808438"),
    ("ap-southeast-1", "421114256042"),
    ("ap-southeast-2", "080788657173"),
    ("ap-southeast-3", "418787028745"),
    ("ap-southeast-4", "307021474294"),
    ("ca-central-1", "039592058896"),
    ("cn-north-1", "615057806174"),
    ("cn-northwest-1", "615084187847"),
    ("eu-central-1", "066940009817"),
    ("eu-central-2", "758369105281"),
    ("eu-north-1", "646970417810"),
    ("eu-south-1", "203683718741"),
    ("eu-south-2", "586093569114"),
    ("eu-west-1", "434848589818"),
    ("eu-west-2", "282860088358"),
    ("eu-west-3", "493207061005"),
    ("me-central-1", "662846165436"),
    ("me-south-1", "559955524753"),
    ("sa-east-1", "000010852771"),
    ("us-east-1", "027255383542"),
    ("us-east-2", "728743619870"),
    ("us-gov-east-1", "946561847325"),
    ("us-gov-west-1", "946746059096"),
    ("us-west-1", "958113053741"),
    ("us-west-2", "359756378197"),
];
