resource "aws_ssm_parameter" "written" {
  name             = "/written"
  type             = "SecureString"
  value_wo         = "never-in-a-plan-2"
  value_wo_version = 2
}
