module example.org/startup

go 1.22
