package main

import (
	"os"
	"path/filepath"
)

// systemConfigFile returns the configuration file of the whole machine.
func systemConfigFile() string {
	dir := os.Getenv("ProgramData")
	if dir == "" {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "gobuild", "config.yaml")
}
