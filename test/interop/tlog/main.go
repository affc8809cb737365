// Verifies the log in a folder with golang.org/x/mod/sumdb/tlog and the notes of transparency-dev: the signature of its
// checkpoint, an inclusion proof for each event, and a consistency proof for each earlier size.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type tiles struct{ folder string }

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, one := range all {
		path := filepath.Join(t.folder, strings.Replace(one.Path(), "tile/8/", "tile/", 1))
		octets, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			one.W = 256
			octets, err = os.ReadFile(filepath.Join(t.folder, strings.Replace(one.Path(), "tile/8/", "tile/", 1)))
		}
		if err != nil {
			return nil, err
		}
		read = append(read, octets)
	}
	return read, nil
}

func main() {
	folder, key := os.Args[1], os.Args[2]
	verifier, err := fnote.NewVerifier(key)
	must(err)
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	must(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	hashes := tlog.TileHashReader(tree, tiles{folder})
	for at := int64(0); at < size; at++ {
		bundle := tlog.Tile{H: 8, L: -1, N: at / 256, W: int(min(256, size-at/256*256))}
		path := strings.Replace(bundle.Path(), "tile/8/data/", "tile/entries/", 1)
		octets, err := os.ReadFile(filepath.Join(folder, path))
		if os.IsNotExist(err) {
			path, _, _ = strings.Cut(path, ".p/")
			octets, err = os.ReadFile(filepath.Join(folder, path))
		}
		must(err)
		entries := bytes.NewBuffer(octets)
		var entry []byte
		for i := int64(0); i <= at%256; i++ {
			head := entries.Next(2)
			entry = entries.Next(int(head[0])<<8 | int(head[1]))
		}
		proof, err := tlog.ProveRecord(size, at, hashes)
		must(err)
		must(tlog.CheckRecord(proof, size, tree.Hash, at, tlog.RecordHash(entry)))
	}
	for old := int64(1); old < size; old++ {
		then, err := tlog.TreeHash(old, hashes)
		must(err)
		proof, err := tlog.ProveTree(size, old, hashes)
		must(err)
		must(tlog.CheckTree(proof, size, tree.Hash, old, then))
	}
	fmt.Printf("holds: %d events\n", size)
}
