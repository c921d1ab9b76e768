resource "aws_ssm_parameter" "written" {
  name             = "/written"
  type             = "SecureString"
  value_wo         = "never-in-a-plan-1"
  value_wo_version = 1
}
