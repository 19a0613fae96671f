package main

var changedElsewhere = "linux"

func init() { trace += "-linux" }
