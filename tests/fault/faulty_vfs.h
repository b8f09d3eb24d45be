/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAULTY_VFS_H
#define TEST_FAULTY_VFS_H

/* A disk for SQLite that can be full or fail, put in front of the real one as the default VFS of the process. */

struct faulty_vfs {
    long calls;       /* writes, syncs, truncations so far */
    long fail_at;     /* the call that fails with an I/O error, from 1; 0: none */
    long failed;      /* calls that failed so */
    long space_bytes; /* what files may still grow by; below 0: no limit */
};

/** Makes the faulty VFS the default. Once per process; the struct is its control panel. */
struct faulty_vfs *faulty_vfs_install(void);

#endif
