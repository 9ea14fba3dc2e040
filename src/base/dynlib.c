/* SPDX-License-Identifier: MIT */
/* Libraries opened when first asked for. They are never closed again: some leave threads and exit
 * handlers behind that would run into unmapped code. */
#include "base.h"

#include <dlfcn.h>

void *dh__library_open(const char *const *names, const char *package)
{
    if (!package) package = "unknown";
    if (!names || !names[0]) {
        (void)dh_fail(DH_EINVAL, "library_open: names is empty, package \"%s\"", package);
        return NULL;
    }
    for (int i = 0; names[i]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
    }
    const char *why = dlerror();
    (void)dh_fail(DH_EMISSING, "library_open: \"%s\" can't be opened, install package %s (%s)",
                  names[0], package, why ? why : "no reason given");
    return NULL;
}

void *dh__library_symbol(void *library, const char *name)
{
    if (!library || !name) {
        (void)dh_fail(DH_EINVAL, "library_symbol: %s is NULL", library ? "name" : "library");
        return NULL;
    }
    void *symbol = dlsym(library, name);
    if (!symbol)
        (void)dh_fail(DH_EMISSING, "library_symbol: the library has no \"%s\", it is too old",
                      name);
    return symbol;
}
