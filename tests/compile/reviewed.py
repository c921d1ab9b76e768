"""What people decided about single operations, each with its reason. Everything else follows from the sources."""

from __future__ import annotations

from typing import Final

#: Signing name -> prefix of its actions in IAM, where they differ.
IAM_PREFIX: Final = {
    "IoTSecuredTunneling": "iot",
    "cloudcontrolapi": "cloudformation",
    "iot-jobs-data": "iotjobsdata",
    "iotdata": "iot",
    "monitoring": "cloudwatch",
    "mturk-requester": "mechanicalturk",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "tagging": "tag",
}

#: Operations whose IAM action has another name: signing name -> operation -> action of the same prefix.
#: From the service's own page on permissions.
IAM_ACTION: Final = {
    "s3": {
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
        "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
        "GetBucketLifecycle": "GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetBucketReplication": "GetReplicationConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "HeadBucket": "ListBucket",
        "HeadObject": "GetObject",
        "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
        "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
        "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
        "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
        "ListBuckets": "ListAllMyBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListParts": "ListMultipartUploadParts",
        "SelectObjectContent": "GetObject",
    },
    "dynamodb": {"TransactGetItems": "GetItem"},
    "lambda": {"GetLayerVersionByArn": "GetLayerVersion"},
}

#: Services whose IAM actions are the HTTP methods.
IAM_BY_METHOD: Final = frozenset({"apigateway"})

#: Signed for plans although the verb or IAM says otherwise. (signing name, operation) -> (class, reason)
EXCEPTIONS: Final = {
    ("kms", "Decrypt"): ("secret_read", "IAM calls it a write; changes nothing, and a plan reads encrypted values"),
    ("sts", "AssumeRole"): (
        "secret_read",
        "IAM calls it a write; a provider that is configured with a role asks at each plan. Its answer holds"
        " credentials, so the proxy refuses it all the same, but no run is latched for that",
    ),
    ("sts", "AssumeRoleWithWebIdentity"): ("secret_read", "as sts:AssumeRole"),
    ("iam", "SimulatePrincipalPolicy"): ("read", "no reading verb; IAM: Read. Evaluates a policy, a data source"),
    ("iam", "SimulateCustomPolicy"): ("read", "no reading verb; IAM: Read. Evaluates a policy"),
    ("states", "ValidateStateMachineDefinition"): ("read", "no reading verb; IAM: Read. The provider asks at plan"),
    ("wafv2", "CheckCapacity"): ("read", "no reading verb; IAM: Read. Computes a number"),
    ("events", "TestEventPattern"): ("read", "no reading verb; IAM: Read. Compares an event with a pattern"),
    ("cognito-idp", "AdminGetUser"): ("read", "no reading verb; IAM: Read. Refresh of a user"),
    ("cognito-idp", "AdminListGroupsForUser"): ("read", "no reading verb; IAM: List. Refresh of a membership"),
    ("servicediscovery", "DiscoverInstances"): ("read", "no reading verb; IAM: Read. A data source"),
    ("cloudformation", "ValidateTemplate"): ("read", "no reading verb; IAM: Read. Parses a template"),
    ("ec2", "ExportClientVpnClientConfiguration"): ("read", "no reading verb; IAM: List. Refresh of an endpoint"),
    ("sdb", "DomainMetadata"): ("read", "no reading verb; IAM: Read. Refresh of a domain"),
    ("sns", "CheckIfPhoneNumberIsOptedOut"): ("read", "no reading verb; IAM: Read. Looks a number up"),
    ("quicksight", "DescribeDataSetPermissions"): (
        "read",
        "the IAM pages list it under permissions management; the service reference and the model say read",
    ),
    ("quicksight", "DescribeDataSourcePermissions"): ("read", "as quicksight:DescribeDataSetPermissions"),
    ("route53globalresolver", "ListTagsForResource"): ("read", "IAM calls it a write; lists tags, at each refresh"),
}

#: Answers with what its owner keeps secret. Reads by the rule, or by an exception above.
SECRETS: Final = {
    "apigateway": "GetApiKey GetApiKeys",
    "appsync": "ListApiKeys",
    "cognito-identity": "GetCredentialsForIdentity",
    "cognito-idp": "DescribeIdentityProvider DescribeUserPoolClient ListUserPoolClientSecrets",
    "datazone": "GetConnection",
    "ec2": "GetPasswordData",
    "kms": "Decrypt",
    "lightsail": "GetInstanceAccessDetails GetRelationalDatabaseMasterUserPassword DownloadDefaultKeyPair",
    "pca-connector-scep": "GetChallengePassword",
    "secretsmanager": "BatchGetSecretValue GetSecretValue",
    "ssm": "GetParameter GetParameterHistory GetParameters GetParametersByPath",
}

#: Works on what lies in a resource, or makes the resource act, rather than on the resource itself.
DATA: Final = {
    "dynamodb": "BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction"
    " GetItem GetRecords GetShardIterator PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem",
    "ecr": "BatchDeleteImage BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage"
    " UploadLayerPart",
    "events": "PutEvents",
    "firehose": "PutRecord PutRecordBatch",
    "kinesis": "GetRecords GetShardIterator PutRecord PutRecords SubscribeToShard",
    "kms": "Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"
    " GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom ReEncrypt Sign Verify VerifyMac",
    "lambda": "Invoke InvokeAsync InvokeWithResponseStream",
    "logs": "FilterLogEvents GetLogEvents GetLogRecord GetQueryResults PutLogEvents StartLiveTail StartQuery",
    "monitoring": "PutMetricData",
    "rds-data": "*",
    "redshift-data": "*",
    "s3": "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject"
    " DeleteObjectTagging DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold"
    " GetObjectRetention GetObjectTagging GetObjectTorrent HeadObject ListParts PutObject PutObjectAcl"
    " PutObjectLegalHold PutObjectRetention PutObjectTagging RenameObject RestoreObject SelectObjectContent"
    " UploadPart UploadPartCopy WriteGetObjectResponse",
    "sns": "Publish PublishBatch",
    "sqs": "ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch PurgeQueue"
    " ReceiveMessage SendMessage SendMessageBatch",
    "states": "SendTaskFailure SendTaskHeartbeat SendTaskSuccess StartExecution StartSyncExecution StopExecution",
    "timestream": "WriteRecords Query",
}
