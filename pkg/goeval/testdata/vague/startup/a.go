package main

var other = "other"

var trace = "a"

func init() { trace += "-a"; changedHere = "a" }
