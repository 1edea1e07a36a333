/* SPDX-License-Identifier: MIT
 *
 * Which user of a closed loop sends next: a binary heap of instants; those of one instant come out
 * in the order in which they went in. The memory is the caller's and holds every user.
 */
#ifndef PYR_LOAD_DUE_H
#define PYR_LOAD_DUE_H

#include <stdbool.h>
#include <stdint.h>

struct pyr_due {
    uint64_t at_ns, order;
    uint32_t user;
};

struct pyr_due_heap {
    struct pyr_due *items;
    uint32_t count;
    uint64_t pushed;
};

static inline bool pyr_due_before(const struct pyr_due *a, const struct pyr_due *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static inline void pyr_due_push(struct pyr_due_heap *heap, uint64_t at_ns, uint32_t user) {
    struct pyr_due item = {at_ns, heap->pushed++, user};
    uint32_t i = heap->count++;
    for (; i > 0 && pyr_due_before(&item, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = item;
}

/* The heap must not be empty. */
static inline struct pyr_due pyr_due_pop(struct pyr_due_heap *heap) {
    struct pyr_due first = heap->items[0], item = heap->items[--heap->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && pyr_due_before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!pyr_due_before(&heap->items[child], &item))
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    if (heap->count > 0)
        heap->items[i] = item;
    return first;
}

#endif
