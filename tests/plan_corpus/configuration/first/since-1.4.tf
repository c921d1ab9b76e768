resource "terraform_data" "built_in" {
  input = "one"
}
