// Command ledger_go checks a ledger directory with the Go reference code for transparency logs and none of ours.
//
// It owns one question: do signature, tiles, bundles and root of the directory fit together for a reader who has
// only the specifications? It never looks at what an entry says. The Rust side of the same walk is
// crates/ledger/src/verify.rs.
//
// Usage: ledger_go DIR VKEYFILE [RECEIPT ...]. Each receipt is a .tlog-proof file: its checkpoint must be signed and its
// inclusion proof must lead from the entry in DIR to its root. Exit 0 and `ok <size>, <n> receipts`, 1 if something does
// not hold, 2 for wrong usage. Receipts are in receipt.go.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight  = 8
	tileWidth   = 1 << tileHeight
	rootBytes   = tlog.HashSize
	lengthBytes = 2
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: ledger_go DIR VKEYFILE [RECEIPT ...]")
		os.Exit(2)
	}
	dir, keyFile, receipts := os.Args[1], os.Args[2], os.Args[3:]
	tree, err := check(dir, keyFile)
	for _, receipt := range receipts {
		if err == nil {
			err = checkReceipt(dir, keyFile, receipt, tree)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Printf("ok %d, %d receipts\n", tree.N, len(receipts))
}

// check authenticates every entry of the log in dir against its signed checkpoint.
func check(dir, keyFile string) (tlog.Tree, error) {
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := openCheckpoint(signed, keyFile)
	if err != nil {
		return tree, err
	}
	// Versions of the reference code that check only some full tiles against the tiles above them let a tile and a
	// bundle that were forged together pass; go.mod names one that checks all.
	hashes := tlog.TileHashReader(tree, tiles(dir))
	for first := int64(0); first < tree.N; first += tileWidth {
		entries, err := readBundle(dir, first, min(tileWidth, tree.N-first))
		if err != nil {
			return tree, err
		}
		indexes := make([]int64, len(entries))
		for i := range entries {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return tree, fmt.Errorf("tiles over entries %d to %d: %w", first, first+int64(len(entries))-1, err)
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != leaves[i] {
				return tree, fmt.Errorf("entry %d does not hash to its leaf in the signed tree", first+int64(i))
			}
		}
	}
	return tree, nil
}

// openCheckpoint reads a signed checkpoint: origin, size and root, signed by the key that was given.
func openCheckpoint(signed []byte, keyFile string) (tlog.Tree, error) {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%s: %w", keyFile, err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is not a checkpoint of %s", opened.Text, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 1 {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is not a size", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != rootBytes {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is not a root", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// tiles reads tile files; nothing it returns is trusted before tlog.TileHashReader has checked it.
type tiles string

func (dir tiles) Height() int { return tileHeight }

func (dir tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (dir tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		// The reference code's own path has the tile height in it, `tile/8/0/000`; a tiled log's has not.
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		bytes, err := readOrFull(string(dir), path)
		if err != nil {
			return nil, err
		}
		width := tile.W * tlog.HashSize
		if len(bytes) != width && (len(bytes) != tileWidth*tlog.HashSize || len(bytes) < width) {
			return nil, fmt.Errorf("%s: %d bytes, expected %d", path, len(bytes), width)
		}
		found[i] = bytes[:width]
	}
	return found, nil
}

// readBundle reads the entries of the bundle that begins with entry first.
func readBundle(dir string, first, width int64) ([][]byte, error) {
	tile := tlog.Tile{H: tileHeight, L: 0, N: first / tileWidth, W: int(width)}
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/0/", tileHeight), "tile/entries/", 1)
	bytes, err := readOrFull(dir, path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for rest := bytes; len(rest) > 0; {
		if len(rest) < lengthBytes {
			return nil, fmt.Errorf("%s: %d trailing bytes", path, len(rest))
		}
		length := int(binary.BigEndian.Uint16(rest))
		rest = rest[lengthBytes:]
		if len(rest) < length {
			return nil, fmt.Errorf("%s: entry of %d bytes, %d left", path, length, len(rest))
		}
		entries = append(entries, rest[:length])
		rest = rest[length:]
	}
	if int64(len(entries)) != width && (len(entries) != tileWidth || int64(len(entries)) < width) {
		return nil, fmt.Errorf("%s: %d entries, expected %d", path, len(entries), width)
	}
	return entries[:width], nil
}

// readOrFull reads a file, or the full one that a partial may have given way to.
func readOrFull(dir, path string) ([]byte, error) {
	bytes, err := os.ReadFile(filepath.Join(dir, path))
	if full, _, partial := strings.Cut(path, ".p/"); partial && errors.Is(err, fs.ErrNotExist) {
		return os.ReadFile(filepath.Join(dir, full))
	}
	return bytes, err
}
