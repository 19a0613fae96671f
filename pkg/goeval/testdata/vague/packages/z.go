package main

var changedHere = "z"

func init() { Out = append(Out, "z", changedHere) }
