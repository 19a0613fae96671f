package plugins

import "example.org/packages/registry"

func init() { registry.Table["plugin"] = "registered" }
