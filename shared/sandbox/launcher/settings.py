"""What a test may set in a running account, by name (`control.py`)."""

# How many environments the account may run at once: the quota "Concurrent executions" as accounts have it that are not new.
account_concurrency = 1000
# What Lambda keeps of the account's concurrency for functions that reserve none. 100 by its guide; accounts whose limit
# is small have been told 50 (milliHQ/terraform-aws-next-js#251) and 10 (DataDog/datadog-serverless-functions#621).
unreserved_floor = 100
# For how many looks at a function (a read of its configuration, or an update that is refused) an update of it is under
# way. AWS takes a second or two for a zip, and whoever waits looks about once a second.
update_looks = 2
# How many reads of an IAM entity still show what it was before the last change.
iam_lag = 0
# How many a page of IAM's lists has at most.
iam_page = 100

# After how many seconds a message comes again that a function has failed on. On AWS it is the queue's visibility timeout,
# which is minutes.
queue_redelivery = 1
# How many more times each message of a queue that starts a function comes: SQS delivers at least once.
queue_copies = 0


def put(**values):
    """Sets some of them to a number."""
    for name, value in values.items():
        if not isinstance(globals().get(name), int):
            raise KeyError(name)
        globals()[name] = int(value)
