package main

func init() { trace += "-test" }
