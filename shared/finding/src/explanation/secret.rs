//! Secrets in environment variables.

use super::Explanation;

pub(super) const PLAINTEXT_SECRET: Explanation = Explanation {
    meaning: "A variable of the function's environment holds a credential: a key or token in the format of its \
              provider, a URL or a connection string with its password, a private key, or a random value under a name \
              that says what it is. High is beyond doubt; medium is a weak password, a failed checksum, an access \
              key's id alone, or a random value under a name that says nothing. Each variable is judged by itself.",
    attack: "Everybody who may call lambda:GetFunctionConfiguration or ListFunctions can read it, and every read-only \
             role may call them. So can whoever gets hold of a state file, a support bundle or an audit export. It \
             works from outside AWS and leaves no trace in the function's log.",
    remedy: "High is acted on. The value is put into Secrets Manager and read back from there; only then a reference \
             takes its place in the environment, and the layer `secret-env` fetches it at the function's start, so \
             that the code finds what it found before. Every other variable stays byte for byte. Where the function \
             would not start that way, nothing is changed, and the record says why. Undo puts the value, the layers \
             and the wrapper back exactly.",
    instead: "Rotate it: it has been readable. In the template, set the variable to the reference that the record \
              names, or read the secret in the code: `warden opt-in FUNCTION --guard secrets --mode strip` then leaves \
              the layer out.",
};

pub(super) const KNOWN_SECRET: Explanation = Explanation {
    meaning: "A variable holds, in plaintext, a value that Warden took out of an environment earlier: of this \
              function's, whatever it looks like and under any name, or of another's, where it is long and random \
              enough to be nothing but that secret and the name does not say that it holds something else (an id, a \
              table). Or it is a value of one of the function's variables that was replaced since: by `warden rotate`, \
              by hand, or by a later deployment. It is recognised by a keyed hash. Medium where it stood here already \
              before it was taken out there.",
    attack: "As with `plaintext-secret`. Usually it is no attack but a pipeline: CloudFormation resolves a dynamic \
             reference to Secrets Manager into the plaintext, and a redeployment sets the template's own text again.",
    remedy: "High is acted on. It is taken out again, as often as the breaker allows; then it is left, and the alert \
             names who repeats it. What was replaced is not stored again: the function reads the newer value. The undo \
             of the remediation that made it known lets it be everywhere.",
    instead: "In the template, set the variable to the text `warden-secret:...` that the record names, and keep the \
              layer and AWS_LAMBDA_EXEC_WRAPPER beside it. To go back to a value that was replaced, use `warden \
              rotate`.",
};

pub(super) const SECRET_OUT_OF_REACH: Explanation = Explanation {
    meaning: "A variable refers to a secret that Warden stored, and the function cannot fetch it at its start. The \
              layer or its wrapper variable may be gone, usually because a pipeline set one and not the other. The new \
              code may be for another architecture than the layer. The role that the function has now may not be \
              among those that may read the secret. The function may have been gone, so that the secret is to be \
              deleted. Or somebody has put a text into the secret that is no JSON object by variable. Medium where the \
              reference is to the secret of another function.",
    attack: "None; the function does not start, or starts with the reference in place of the value. A reference to \
             another function's secret may be an attempt to be let in there: Warden lets a function read its own \
             secret alone.",
    remedy: "High is acted on. The layer and the wrapper variable are put back, or the layer of the right architecture \
             is put in, the role is let in, and the deletion is taken back. Where nothing refers to a secret any more, \
             the wrapper variable goes.",
    instead: "In the template, keep the layer, AWS_LAMBDA_EXEC_WRAPPER and the references together, or leave all three \
              out. Set values with `warden rotate`.",
};
