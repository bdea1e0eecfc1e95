/* gcc tells each edge by a call; libFuzzer, in atheris, wants counters. This turns the one into the other, and hands on
   what the program compares. The hidden symbols take the calls of the engine beside which this is linked: those of the
   same names in the sanitizer's library, which comes first, do nothing. This file itself is not instrumented. */
#include <dlfcn.h>
#include <stdint.h>

enum { PLACES = 1 << 17 };

static uint8_t counters[PLACES];
static uintptr_t places[2 * PLACES];

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN void __sanitizer_cov_trace_pc(void)
{
    uint64_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)counters;
    counters[(place * 0x9E3779B97F4A7C15ULL) >> 47]++;
}

#define FORWARD(name, type) \
    static void (*to_##name)(type, type); \
    HIDDEN void __sanitizer_cov_trace_##name(type a, type b) { if (to_##name) to_##name(a, b); }

FORWARD(cmp1, uint8_t)
FORWARD(cmp2, uint16_t)
FORWARD(cmp4, uint32_t)
FORWARD(cmp8, uint64_t)
FORWARD(const_cmp1, uint8_t)
FORWARD(const_cmp2, uint16_t)
FORWARD(const_cmp4, uint32_t)
FORWARD(const_cmp8, uint64_t)

static void (*to_switch)(uint64_t, uint64_t *);
HIDDEN void __sanitizer_cov_trace_switch(uint64_t value, uint64_t *cases) { if (to_switch) to_switch(value, cases); }
HIDDEN void __sanitizer_cov_trace_cmpf(float a, float b) { }
HIDDEN void __sanitizer_cov_trace_cmpd(double a, double b) { }

/* Tell the libFuzzer in this library; 0 where it is not one. */
int begin_coverage(const char *library)
{
    void *fuzzer = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    void (*counted)(uint8_t *, uint8_t *) = fuzzer ? dlsym(fuzzer, "__sanitizer_cov_8bit_counters_init") : 0;
    void (*placed)(uintptr_t *, uintptr_t *) = fuzzer ? dlsym(fuzzer, "__sanitizer_cov_pcs_init") : 0;
    if (!counted || !placed)
        return 0;
    counted(counters, counters + PLACES);
    placed(places, places + 2 * PLACES);
#define FOUND(name) to_##name = dlsym(fuzzer, "__sanitizer_cov_trace_" #name)
    FOUND(cmp1), FOUND(cmp2), FOUND(cmp4), FOUND(cmp8);
    FOUND(const_cmp1), FOUND(const_cmp2), FOUND(const_cmp4), FOUND(const_cmp8), FOUND(switch);
    return 1;
}
