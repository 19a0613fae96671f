package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// modulePath is the import path of the repository.
const modulePath = "gobuild"

// rooms lists the packages below pkg, each with the rooms that it may import.
// A room's subdirectories belong to it. Arrows go downwards only; cmd is the
// only place that sees all of them.
var rooms = map[string][]string{
	"api":          {},
	"builderkey":   {},
	"botcert":      {},
	"goeval":       {},
	"buildconfig":  {"goeval"},
	"lint":         {"buildconfig", "goeval"},
	"lucidef":      {"botcert"},
	"request":      {"api", "botcert"},
	"doctor":       {"builderkey", "botcert", "machinetoken", "api"},
	"buildlet":     {"supervise"},
	"release":      {},
	"stage0":       {"release", "buildlet", "supervise"},
	"machinetoken": {"botcert"},
	"swarmbot":     {"botcert", "machinetoken", "supervise"},
	"supervise":    {},
	"farmbot":      {"buildlet", "supervise"},
	"gomote":       {"api", "buildlet"},
	"coordinator":  {"api", "botcert", "builderkey", "buildlet", "buildconfig", "store"},
	"store":        {},
	// The rehearsal plays every part on one machine.
	"rehearse": {"api", "botcert", "builderkey", "buildconfig", "buildlet", "coordinator", "doctor", "gomote", "machinetoken", "stage0", "supervise", "swarmbot"},

	"account":      {},
	"atomicfile":   {},
	"availability": {},
	"diskspace":    {},
	"lazyre":       {},
	"memtrim":      {},
	"hint":         {},
	"netdial":      {},
	"plain":        {},
	"ports":        {},
	"version":      {},
}

// leaves are rooms that every room may import. They import nothing but each
// other.
var leaves = []string{"account", "atomicfile", "availability", "diskspace", "hint", "lazyre", "memtrim", "netdial", "plain", "ports", "version"}

// workerRooms run on builder machines, of every port, and in porters' hands.
var workerRooms = []string{"buildlet", "stage0", "farmbot", "supervise", "machinetoken", "swarmbot", "doctor", "botcert", "builderkey", "gomote"}

// serverRooms may be restricted to the ports that a database has.
var serverRooms = []string{"coordinator", "store"}

// TestRooms checks the imports of every Go file, whatever platform it is for,
// against the table. Tests may import what they like.
func TestRooms(t *testing.T) {
	imports := roomImports(t)
	for room, imported := range imports {
		allowed, ok := rooms[room]
		if !ok {
			t.Errorf("pkg/%s is not in the table of rooms", room)
			continue
		}
		for other, file := range imported {
			if other == room || slices.Contains(allowed, other) || slices.Contains(leaves, other) {
				continue
			}
			t.Errorf("%s: room %s may not import room %s", file, room, other)
		}
	}
	for _, worker := range workerRooms {
		for _, server := range serverRooms {
			if path := importPath(imports, worker, server); path != nil {
				t.Errorf("room %s of the worker imports room %s of the server: %s", worker, server, strings.Join(path, " → "))
			}
		}
	}
}

// TestRoomsTable checks the table itself: arrows between rooms that exist in
// it, and no way round in a circle.
func TestRoomsTable(t *testing.T) {
	table := map[string]map[string]string{}
	for room, allowed := range rooms {
		table[room] = map[string]string{}
		for _, other := range allowed {
			if _, ok := rooms[other]; !ok {
				t.Errorf("room %s may import %s, which is not in the table", room, other)
			}
			table[room][other] = ""
		}
	}
	for room, allowed := range rooms {
		for _, other := range allowed {
			if path := importPath(table, other, room); path != nil {
				t.Errorf("circle: %s → %s", room, strings.Join(path, " → "))
			}
		}
	}
}

// roomImports returns, for each room, the rooms that it imports, each with a
// file that does. Directories below pkg with a module of their own stay out.
func roomImports(t *testing.T) map[string]map[string]string {
	imports := map[string]map[string]string{}
	goFiles(t, "pkg", func(file string) {
		room := roomOf(strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../"))
		if room == "" {
			t.Errorf("%s: Go files belong into a room, not into pkg itself", file)
			return
		}
		if imports[room] == nil {
			imports[room] = map[string]string{}
		}
		for _, path := range importsOf(t, file) {
			own, ok := strings.CutPrefix(path, modulePath+"/")
			if !ok {
				continue
			}
			other := roomOf(own)
			if other == "" {
				t.Errorf("%s imports %s: cmd is imported by nobody", file, path)
				continue
			}
			imports[room][other] = file
		}
	})
	return imports
}

// roomOf returns the room of a directory of the repository, or "".
func roomOf(dir string) string {
	below, ok := strings.CutPrefix(dir, "pkg/")
	if !ok {
		return ""
	}
	room, _, _ := strings.Cut(below, "/")
	return room
}

// importPath returns a way from one room to another along imports, or nil.
func importPath(imports map[string]map[string]string, from, to string) []string {
	seen := map[string]bool{}
	var search func(room string) []string
	search = func(room string) []string {
		if room == to {
			return []string{room}
		}
		seen[room] = true
		for other := range imports[room] {
			if seen[other] {
				continue
			}
			if path := search(other); path != nil {
				return append([]string{room}, path...)
			}
		}
		return nil
	}
	return search(from)
}

// importsOf returns the import paths of a Go file.
func importsOf(t *testing.T, file string) []string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range parsed.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// goFiles calls visit for each Go file, tests apart, below a directory of the
// repository, with its path from here. It passes over testdata and nested
// modules.
func goFiles(t *testing.T, dir string, visit func(file string)) {
	top := filepath.Join("..", "..", dir)
	modules, err := filepath.Glob(filepath.Join(top, "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "testdata" || slices.Contains(modules, filepath.Join(path, "go.mod")) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
