// Cgo reads the public headers as they are and calls the library. Prints TAP. The argument is the version expected.
package main

// #include <shard/shard.h>
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

func main() {
	failed := false
	report := func(number int, passed bool, what string) {
		prefix := ""
		if !passed {
			prefix, failed = "not ", true
		}
		fmt.Printf("%sok %d - %s\n", prefix, number, what)
	}

	fmt.Println("1..3")
	report(1, C.GoString(C.shard_version()) == os.Args[1], "the version is the one that was built")

	var detail C.struct_shard_error
	detail.struct_size = C.size_t(unsafe.Sizeof(detail))
	report(2, C.shard_error_copy(&detail) == C.SHARD_OK, "a struct with struct_size goes through")

	var context *C.shard_context
	made := C.shard_context_new(nil, &context)
	C.shard_context_free(context)
	report(3, made == 0, "a context is made and freed")

	if failed {
		os.Exit(1)
	}
}
