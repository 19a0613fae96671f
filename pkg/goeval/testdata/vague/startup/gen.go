//go:build ignore

package main

var other = "ignored"
