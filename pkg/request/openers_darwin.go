package request

// openers are the programs that show an address, the best first.
var openers = [][]string{{"open"}}
