// Command program stands for a buildlet. What it does is written behind its
// own end: see the cases below.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		panic(err)
	}
	mode := string(data[bytes.LastIndexByte(data, '\n')+1:])
	gobuild := mode[0] == 'g'
	if slices.Contains(os.Args, "-version") {
		fmt.Println("buildlet version 29 (some-port)\nbuilt with go")
		if gobuild {
			fmt.Println("gobuild 1.2.3")
		}
		return
	}
	fmt.Println("mode", mode, os.Args[1:])
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	if slices.Contains(os.Args, "--supervised") {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			end <- os.Interrupt
		}()
	}
	switch mode {
	case "g-registers", "g-registers-and-fails":
		fmt.Printf(`{"state":"connecting","since":%q}`+"\n", time.Now().Format(time.RFC3339))
		fmt.Printf(`{"state":"idle","registered":%q,"since":%[1]q}`+"\n", time.Now().Format(time.RFC3339))
		if mode == "g-registers-and-fails" {
			time.Sleep(time.Second)
			os.Exit(4)
		}
	case "g-mute":
		fmt.Printf(`{"state":"connecting","since":%q}`+"\n", time.Now().Format(time.RFC3339))
	case "u-fails", "g-fails":
		os.Exit(3)
	case "u-ends":
		return
	}
	<-end
	fmt.Println("told to end")
}
