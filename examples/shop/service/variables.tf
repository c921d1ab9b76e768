variable "name" {
  description = "First part of every name."
  type        = string

  validation {
    condition     = length(var.name) <= 40 && can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "The name must be lower case and at most 40 characters long."
  }
}

variable "image" {
  description = "Container image, pinned by digest."
  type        = string
}

variable "cidr" {
  description = "Address range of the network, a /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0))
    error_message = "The range must be written as a.b.c.d/16."
  }
}

variable "zones" {
  description = "Availability zones; a subnet in each."
  type        = list(string)
}

variable "queue" {
  description = "The order queue."
  type = object({
    retention_days = number
    visibility_s   = optional(number, 30)
  })

  validation {
    condition     = var.queue.retention_days >= 1 && var.queue.retention_days <= 14
    error_message = "Between 1 and 14 days."
  }
}

variable "allowed_cidrs" {
  description = "Networks that may call the service."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
