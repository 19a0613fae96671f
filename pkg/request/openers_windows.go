package request

// openers are the programs that show an address, the best first. Not "start":
// its shell would take the address apart at every "&".
var openers = [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
