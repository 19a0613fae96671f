package plugins

import "example.org/startup/registry"

func init() { registry.Table["plugin"] = "registered" }
