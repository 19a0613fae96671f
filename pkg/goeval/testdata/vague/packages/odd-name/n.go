package named

var Value = "value of named"
