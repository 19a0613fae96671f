package starts

var Started = "started"
