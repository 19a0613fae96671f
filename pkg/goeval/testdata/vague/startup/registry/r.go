package registry

var Table = map[string]string{"own": "own"}
