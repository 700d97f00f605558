//! The rules of concurrency-guard.

use super::Explanation;

pub(super) const UNBOUNDED_CONCURRENCY: Explanation = Explanation {
    meaning: "The function has a cap (its tag `warden:max-concurrency`, or the stack's MaxConcurrency where it has no such \
              tag), and no reserved concurrency. So Lambda runs as many copies of it at once as the account has room for.",
    attack: "Denial of wallet. Whoever can make the function run (a public form, a queue, an upload) sends it more and \
             more: Lambda adds 1,000 environments every ten seconds. You pay for each, and once the account's concurrency \
             is used up, every other function of the Region is refused.",
    remedy: "High. Reserved concurrency becomes the cap, or what it was before where that was less. It is withheld where \
             that would take more of the account's concurrency than the stack's ConcurrencyPoolShare leaves, would be \
             less than the provisioned concurrency, or would leave other functions less than Lambda keeps for them. A \
             function at 0 and one on Managed Instances are left alone.",
    instead: "Set ReservedConcurrentExecutions in the function's template, at or below the cap. Or raise the cap: \
              `warden:max-concurrency` on the function.",
};

pub(super) const CONCURRENCY_ABOVE_CAP: Explanation = Explanation {
    meaning: "The function's reserved concurrency is more than its cap: its tag `warden:max-concurrency`, or the stack's \
              MaxConcurrency where it has no such tag.",
    attack: "What is reserved for one function no other can have. Whoever raises it lets the function cost more than its \
             owner meant it to, and starves the other functions of the Region.",
    remedy: "High. Reserved concurrency becomes what it was before the change where that is at or below the cap, or else \
             the cap. It is withheld where that would be less than the provisioned concurrency.",
    instead: "Raise the cap as well where the function needs more: `warden:max-concurrency` on the function.",
};

pub(super) const RECURSION_ALLOWED: Explanation = Explanation {
    meaning: "The function's RecursiveLoop is Allow: Lambda does not end it where it invokes itself, through SQS, SNS or S3 \
              as well, again and again.",
    attack: "A function that writes where it is triggered from invokes itself for ever. One message is enough, sent by \
             mistake or on purpose, and it costs until somebody notices.",
    remedy: "High. RecursiveLoop becomes Terminate, which every function starts with: Lambda ends a loop after about 16 \
             rounds.",
    instead: "Write to another queue, topic or bucket than the one that triggers the function. A design that needs the \
              loop needs an exemption.",
};

pub(super) const PROVISIONED_ABOVE_CAP: Explanation = Explanation {
    meaning: "The provisioned concurrency of the function's versions and aliases is together more than its cap.",
    attack: "Provisioned concurrency is paid for whether or not it is used. It is a cost, and no way in.",
    remedy: "Medium, reported. It is never changed: Application Auto Scaling may move it all day, and less of it makes \
             the function start slowly. Reserved concurrency below it is refused by Lambda, so that the cap waits until \
             somebody lowers the one or raises the other.",
    instead: "Lower the provisioned concurrency, or the MaxCapacity of its scalable target; or raise \
              `warden:max-concurrency`.",
};
