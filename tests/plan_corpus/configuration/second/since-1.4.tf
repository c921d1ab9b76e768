resource "terraform_data" "built_in" {
  input            = "two"
  triggers_replace = ["two"]
  provisioner "local-exec" {
    when    = destroy
    command = "true"
  }
}
