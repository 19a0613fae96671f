package main

var changedElsewhere = "windows"

func init() { trace += "-windows" }
