//go:build !windows

package main

// systemConfigFile returns the configuration file of the whole machine.
func systemConfigFile() string { return "/etc/gobuild/config.yaml" }
