/* SPDX-License-Identifier: MIT
 *
 * What our serving path costs beside a bare loop of engine calls: the same libllama (opened here
 * directly, not through our port), the same model file, options, thread pool and argmax, both in
 * one process, in random order, pair by pair.
 *
 *     build/release/bench/bare_loop MODEL [threads=2] [sequences=1] [pairs=20] [prompt=256]
 *                                   [output=128] [seed=1] [self=0]
 *                                   [processes=1]
 *
 * One sequence: prompt speed = prompt / (first token - sent), decode speed = (output - 1) / (last
 * token - first token). Several: all requests at once, the bare loop fills its steps by the same
 * policy as serving, and the speed is all tokens / (last token - start). self=1 compares the bare
 * loop with a second copy of itself, which shows what the comparison is worth. Where the weights of
 * each side lie in memory is a bias of a few percent on a small model for the life of a process:
 * with processes=N each of N processes gives the medians of its pairs as one pair.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "estimate/pairs.h"
#include "record/recorder.h"
#include "serving/sampler.h"
#include "target/target.h"

#include <dlfcn.h>
#include <glob.h>
#include <llama.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 512 }; /* as serving's default */
enum { SEQUENCES_MOST = 256, PAIRS_MOST = 200 };

struct settings {
    const char *model;
    uint32_t threads, sequences, pairs, prompt, output, seed, self, processes;
};

static void die(const char *why) {
    fprintf(stderr, "bare_loop: %s\n", why);
    exit(1);
}

/* --- the library
 * ------------------------------------------------------------------------------------ */

#define FUNCTIONS(X)                                                                               \
    X(llama_log_set)                                                                               \
    X(llama_backend_init)                                                                          \
    X(llama_model_default_params)                                                                  \
    X(llama_model_load_from_file)                                                                  \
    X(llama_model_free)                                                                            \
    X(llama_model_get_vocab)                                                                       \
    X(llama_vocab_n_tokens)                                                                        \
    X(llama_token_to_piece)                                                                        \
    X(llama_context_default_params)                                                                \
    X(llama_init_from_model)                                                                       \
    X(llama_free)                                                                                  \
    X(llama_attach_threadpool)                                                                     \
    X(llama_get_memory)                                                                            \
    X(llama_memory_seq_rm)                                                                         \
    X(llama_decode)                                                                                \
    X(llama_get_logits_ith)                                                                        \
    X(ggml_backend_load_all_from_path)                                                             \
    X(ggml_backend_dev_by_type)                                                                    \
    X(ggml_backend_dev_backend_reg)                                                                \
    X(ggml_backend_reg_get_proc_address)                                                           \
    X(ggml_threadpool_params_default)

static struct {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    __typeof__(ggml_threadpool_new) *threadpool_new;
    __typeof__(ggml_threadpool_free) *threadpool_free;
} api;

static void drop_log(enum ggml_log_level level, const char *text, void *context) {
    (void)context;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

static void open_library(void) {
    glob_t found;
    if (glob(PYR_ENGINE_LIB "/libllama.*so*", 0, NULL, &found) != 0 || found.gl_pathc == 0)
        die("no libllama in " PYR_ENGINE_LIB "; run scripts/setup");
    void *library = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_GLOBAL);
    if (!library)
        die(dlerror());
    globfree(&found);
#define RESOLVE(name)                                                                              \
    if (!(*(void **)(void *)&api.name = dlsym(library, #name)))                                    \
        die(#name " is missing in libllama");
    FUNCTIONS(RESOLVE)
#undef RESOLVE
    api.llama_log_set(drop_log, NULL);
    /* The plug-in may have opened the same library before: its backends are registered once. */
    if (!api.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) {
        api.llama_backend_init();
        api.ggml_backend_load_all_from_path(PYR_ENGINE_LIB);
    }
    ggml_backend_reg_t cpu = api.ggml_backend_dev_backend_reg(
        api.ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    *(void **)(void *)&api.threadpool_new =
        api.ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_new");
    *(void **)(void *)&api.threadpool_free =
        api.ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_free");
    if (!api.threadpool_new || !api.threadpool_free)
        die("this libllama has no thread pools");
}

/* --- what one turn gives
 * ------------------------------------------------------------------------------ */

struct turn {
    double prompt_speed, decode_speed; /* tokens/s; one sequence only */
    double speed;                      /* all tokens/s */
    uint64_t text_hash;                /* of all outputs, in the order of the requests */
};

static void fill_turn(struct turn *turn, const struct settings *settings, uint64_t start_ns,
                      uint64_t first_ns, uint64_t last_ns) {
    double tokens = (double)settings->sequences * (settings->prompt + settings->output);
    turn->prompt_speed = settings->prompt * 1e9 / (double)(first_ns - start_ns);
    turn->decode_speed = (settings->output - 1) * 1e9 / (double)(last_ns - first_ns);
    turn->speed = tokens * 1e9 / (double)(last_ns - start_ns);
}

/* --- the bare loop
 * ------------------------------------------------------------------------------------ */

struct bare_sequence {
    uint32_t fed, known, planned, row;
    uint64_t hash;
};

struct bare {
    struct llama_model *model;
    const struct llama_vocab *vocab;
    struct llama_context *context;
    struct ggml_threadpool *pool;
    int32_t vocabulary;
    struct llama_batch batch;
    struct bare_sequence sequences[SEQUENCES_MOST];
    int32_t *tokens; /* (sequences, prompt + output) */
};

static struct bare *bare_open(const struct settings *settings) {
    struct bare *bare = pyr_xcalloc(1, sizeof *bare);
    uint32_t each = (settings->prompt + settings->output + 255) / 256 * 256;
    bare->model = api.llama_model_load_from_file(settings->model, api.llama_model_default_params());
    if (!bare->model)
        die("the model does not load");
    bare->vocab = api.llama_model_get_vocab(bare->model);
    bare->vocabulary = api.llama_vocab_n_tokens(bare->vocab);
    struct llama_context_params params = api.llama_context_default_params();
    params.n_ctx = each * settings->sequences;
    params.n_batch = BATCH < params.n_ctx ? BATCH : params.n_ctx;
    params.n_ubatch = params.n_batch;
    params.n_seq_max = settings->sequences;
    params.n_threads = params.n_threads_batch = (int32_t)settings->threads;
    params.no_perf = true;
    bare->context = api.llama_init_from_model(bare->model, params);
    if (!bare->context)
        die("no context");
    if (settings->threads > 1) {
        struct ggml_threadpool_params pool =
            api.ggml_threadpool_params_default((int)settings->threads);
        bare->pool = api.threadpool_new(&pool);
        api.llama_attach_threadpool(bare->context, bare->pool, NULL);
    }
    bare->tokens = pyr_xcalloc((size_t)settings->sequences * (settings->prompt + settings->output),
                               sizeof *bare->tokens);
    bare->batch.token = pyr_xcalloc(BATCH, sizeof *bare->batch.token);
    bare->batch.pos = pyr_xcalloc(BATCH, sizeof *bare->batch.pos);
    bare->batch.n_seq_id = pyr_xcalloc(BATCH, sizeof *bare->batch.n_seq_id);
    bare->batch.seq_id = pyr_xcalloc(BATCH, sizeof *bare->batch.seq_id);
    bare->batch.logits = pyr_xcalloc(BATCH, sizeof *bare->batch.logits);
    int32_t *ids = pyr_xcalloc(BATCH, sizeof *ids);
    for (int i = 0; i < BATCH; i++) {
        bare->batch.n_seq_id[i] = 1;
        bare->batch.seq_id[i] = &ids[i];
    }
    return bare;
}

static void bare_close(struct bare *bare) {
    api.llama_free(bare->context);
    if (bare->pool)
        api.threadpool_free(bare->pool);
    api.llama_model_free(bare->model);
    pyr_free(bare->batch.seq_id[0]);
    pyr_free(bare->batch.seq_id);
    pyr_free(bare->batch.n_seq_id);
    pyr_free(bare->batch.token);
    pyr_free(bare->batch.pos);
    pyr_free(bare->batch.logits);
    pyr_free(bare->tokens);
    pyr_free(bare);
}

/* The rows of a step, as serving/serving.h says. Returns their number. */
static uint32_t bare_plan(struct bare *bare, const struct settings *settings) {
    uint32_t decoding = 0, total = settings->prompt + settings->output;
    for (uint32_t s = 0; s < settings->sequences; s++) {
        struct bare_sequence *sequence = &bare->sequences[s];
        sequence->planned = sequence->known > settings->prompt && sequence->known < total;
        decoding += sequence->planned;
    }
    uint32_t room = BATCH - decoding;
    uint32_t rows = decoding;
    for (uint32_t s = 0; s < settings->sequences && room > 0; s++) {
        struct bare_sequence *sequence = &bare->sequences[s];
        if (sequence->known > settings->prompt)
            continue;
        uint32_t left = sequence->known - sequence->fed;
        sequence->planned = left < room ? left : room;
        room -= sequence->planned;
        rows += sequence->planned;
    }
    return rows;
}

static void bare_fill(struct bare *bare, const struct settings *settings) {
    struct llama_batch *batch = &bare->batch;
    uint32_t total = settings->prompt + settings->output;
    batch->n_tokens = 0;
    for (uint32_t s = 0; s < settings->sequences; s++) {
        struct bare_sequence *sequence = &bare->sequences[s];
        for (uint32_t i = 0; i < sequence->planned; i++) {
            int32_t row = batch->n_tokens++;
            uint32_t position = sequence->fed++;
            batch->token[row] = bare->tokens[(size_t)s * total + position];
            batch->pos[row] = (int32_t)position;
            *batch->seq_id[row] = (int32_t)s;
            batch->logits[row] = position + 1 == sequence->known;
            sequence->row = (uint32_t)row;
        }
    }
}

static uint64_t bare_sample(struct bare *bare, const struct settings *settings) {
    uint64_t last_ns = 0;
    char piece[256];
    for (uint32_t s = 0; s < settings->sequences; s++) {
        struct bare_sequence *sequence = &bare->sequences[s];
        if (sequence->planned == 0 || sequence->fed < sequence->known)
            continue;
        const float *row = api.llama_get_logits_ith(bare->context, (int32_t)sequence->row);
        int32_t token = pyr_argmax(row, (uint32_t)bare->vocabulary);
        uint32_t total = settings->prompt + settings->output;
        bare->tokens[(size_t)s * total + sequence->known++] = token;
        last_ns = pyr_clock_real_ns();
        int bytes = api.llama_token_to_piece(bare->vocab, token, piece, sizeof piece, 0, false);
        sequence->hash = pyr_fnv1a64(sequence->hash, piece, (size_t)bytes);
    }
    return last_ns;
}

static void bare_turn(struct bare *bare, const struct settings *settings, const int32_t *prompts,
                      struct turn *turn) {
    uint32_t total = settings->prompt + settings->output;
    uint64_t start_ns = pyr_clock_real_ns(), first_ns = 0, last_ns = 0;
    for (uint32_t s = 0; s < settings->sequences; s++) {
        memcpy(bare->tokens + (size_t)s * total, prompts + (size_t)s * settings->prompt,
               settings->prompt * sizeof *prompts);
        bare->sequences[s] =
            (struct bare_sequence){.known = settings->prompt, .hash = PYR_FNV1A64_INIT};
    }
    while (bare_plan(bare, settings) > 0) {
        bare_fill(bare, settings);
        if (api.llama_decode(bare->context, bare->batch) != 0)
            die("llama_decode failed");
        uint64_t sampled_ns = bare_sample(bare, settings);
        first_ns = first_ns ? first_ns : sampled_ns;
        last_ns = sampled_ns ? sampled_ns : last_ns;
        for (uint32_t s = 0; s < settings->sequences; s++) {
            if (bare->sequences[s].planned > 0 && bare->sequences[s].known == total)
                api.llama_memory_seq_rm(api.llama_get_memory(bare->context), (int32_t)s, -1, -1);
        }
    }
    fill_turn(turn, settings, start_ns, first_ns, last_ns);
    turn->text_hash = PYR_FNV1A64_INIT;
    for (uint32_t s = 0; s < settings->sequences; s++)
        turn->text_hash = pyr_fnv1a64(turn->text_hash, &bare->sequences[s].hash, sizeof(uint64_t));
}

/* --- our path
 * ----------------------------------------------------------------------------------------- */

struct ours {
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_slot slots[SEQUENCES_MOST];
    char folder[64], path[80];
};

static struct ours *ours_open(const struct settings *settings) {
    struct ours *ours = pyr_xcalloc(1, sizeof *ours);
    struct pyr_err err;
    struct pyr_option option = {"engine_dir", PYR_ENGINE_LIB};
    struct pyr_target_config config = {.spec = settings->model,
                                       .options = &option,
                                       .option_count = 1,
                                       .threads = settings->threads,
                                       .sequences = settings->sequences,
                                       .tokens_per_sequence = settings->prompt + settings->output};
    snprintf(ours->folder, sizeof ours->folder, "/tmp/pyrometer-bench-XXXXXX");
    if (!mkdtemp(ours->folder))
        die("no folder below /tmp");
    snprintf(ours->path, sizeof ours->path, "%s/run.pyr", ours->folder);
    struct pyr_recorder_config recorder = {.path = ours->path, .lanes = 2, .meta_json = "{}"};
    if (!pyr_recorder_open(&recorder, &ours->clock, &ours->recorder, &err) ||
        !pyr_target_open(&config, false, &ours->target, &err))
        die(err.text);
    struct pyr_attach attach = {.clock = &ours->clock,
                                .max_in_flight = settings->sequences,
                                .lane = pyr_recorder_lane(ours->recorder, 0),
                                .engine_lane = pyr_recorder_lane(ours->recorder, 1)};
    if (!ours->target->ops->attach(ours->target, &attach, &ours->handle, &err))
        die(err.text);
    return ours;
}

static void ours_close(struct ours *ours) {
    struct pyr_err err;
    ours->handle->ops->detach(ours->handle);
    ours->target->ops->close(ours->target);
    if (!pyr_recorder_close(ours->recorder, &err))
        die(err.text);
    unlink(ours->path);
    rmdir(ours->folder);
    pyr_free(ours);
}

static void ours_submit(struct ours *ours, const struct settings *settings,
                        const int32_t *prompts) {
    for (uint32_t s = 0; s < settings->sequences; s++) {
        ours->slots[s] =
            (struct pyr_slot){.record = {.ordinal = s},
                              .prompt = {.tokens = prompts + (size_t)s * settings->prompt,
                                         .token_count = settings->prompt},
                              .output_tokens = settings->output,
                              .exact_output = true,
                              .cancel_after_ns = PYR_NEVER,
                              .limits = {PYR_NEVER, PYR_NEVER, PYR_NEVER, PYR_NEVER}};
        ours->handle->ops->submit(ours->handle, &ours->slots[s]);
    }
}

static void ours_turn(struct ours *ours, const struct settings *settings, const int32_t *prompts,
                      struct turn *turn) {
    struct pyr_slot *done[SEQUENCES_MOST];
    ours_submit(ours, settings, prompts);
    for (uint32_t ended = 0; ended < settings->sequences;) {
        size_t count = ours->handle->ops->poll(ours->handle, done, SEQUENCES_MOST);
        ended += (uint32_t)count;
        struct pyr_wait wait = ours->handle->ops->wait_handle(ours->handle);
        if (count == 0 && wait.next_ns == PYR_NEVER)
            poll(&(struct pollfd){.fd = wait.fd, .events = POLLIN}, 1, -1);
    }
    uint64_t start_ns = ours->slots[0].record.sent_ns, last_ns = 0;
    turn->text_hash = PYR_FNV1A64_INIT;
    for (uint32_t s = 0; s < settings->sequences; s++) {
        const struct pyr_slot *slot = &ours->slots[s];
        if (slot->record.outcome != PYR_OUTCOME_OK)
            die(slot->error_text ? slot->error_text : "a request failed");
        last_ns = slot->record.last_content_ns > last_ns ? slot->record.last_content_ns : last_ns;
        turn->text_hash = pyr_fnv1a64(turn->text_hash, &slot->record.text_hash, sizeof(uint64_t));
    }
    fill_turn(turn, settings, start_ns, ours->slots[0].record.first_content_ns, last_ns);
}

/* --- the comparison
 * ----------------------------------------------------------------------------------- */

enum { PROMPT, DECODE, ALL, SPEEDS };
static const char *const speed_names[SPEEDS] = {"prompt", "decode", "all"};

/* Speeds in pairs; what several processes share is in memory that they share. */
struct pairs {
    uint32_t count, same_text;
    double ours[SPEEDS][PAIRS_MOST], bare[SPEEDS][PAIRS_MOST];
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, uint32_t count) {
    double sorted[PAIRS_MOST];
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static void print_ratios(const struct settings *settings, const struct pairs *pairs) {
    printf(
        "%s: %u thread(s), %u sequence(s), %u prompt + %u output tokens, %u pairs%s%s; same text "
        "in %u pairs\n",
        settings->model, settings->threads, settings->sequences, settings->prompt, settings->output,
        pairs->count, settings->processes > 1 ? " (medians of processes)" : "",
        settings->self ? ", the bare loop against itself" : "", pairs->same_text);
    for (int i = settings->sequences == 1 ? PROMPT : ALL; i < SPEEDS; i++) {
        struct pyr_pairs ratio;
        pyr_compare_pairs(pairs->bare[i], pairs->ours[i], pairs->count, &ratio);
        printf("  %-7s ours / bare = %.4f [%.4f, %.4f]   (ours: median %.1f, bare: median %.1f "
               "tokens/s)\n",
               speed_names[i], ratio.ratio.value, ratio.ratio.lo, ratio.ratio.hi,
               median(pairs->ours[i], pairs->count), median(pairs->bare[i], pairs->count));
    }
}

static void fill_prompts(int32_t *prompts, size_t count, struct pyr_rng *rng, int32_t vocabulary) {
    for (size_t i = 0; i < count; i++) /* from 300: neither control nor byte tokens */
        prompts[i] = 300 + (int32_t)pyr_rng_below(rng, (uint64_t)vocabulary - 300);
}

static void keep(double (*speeds)[PAIRS_MOST], uint32_t pair, const struct turn *turn) {
    speeds[PROMPT][pair] = turn->prompt_speed;
    speeds[DECODE][pair] = turn->decode_speed;
    speeds[ALL][pair] = turn->speed;
}

struct sides {
    struct ours *ours; /* or, with self, */
    struct bare *other;
    struct bare *bare;
};

/* The side that is opened second was up to 13 % faster at decoding a model of 600 MB (self=1 shows
 * it): processes take turns in which side that is, so that the bias goes out of their middle. */
static struct sides open_sides(const struct settings *settings) {
    struct sides sides = {0};
    bool bare_first = settings->seed % 2 == 0;
    if (!settings->self) {
        sides.ours = ours_open(settings); /* the plug-in wants to open the library itself */
        if (bare_first)
            ours_close(sides.ours);
    }
    open_library();
    if (bare_first)
        sides.bare = bare_open(settings);
    if (settings->self)
        sides.other = bare_open(settings);
    else if (bare_first)
        sides.ours = ours_open(settings);
    if (!bare_first)
        sides.bare = bare_open(settings);
    return sides;
}

static void compare(const struct settings *settings, struct pairs *pairs) {
    struct pyr_rng rng;
    struct turn turns[2] = {0};
    pyr_rng_init(&rng, settings->seed);
    struct sides sides = open_sides(settings);
    struct ours *ours = sides.ours;
    struct bare *bare = sides.bare, *other = sides.other;
    size_t count = (size_t)settings->sequences * settings->prompt;
    int32_t *prompts = pyr_xcalloc(count, sizeof *prompts);
    for (uint32_t pair = 0; pair < settings->pairs + 1; pair++) { /* the first is a warm-up */
        fill_prompts(prompts, count, &rng, bare->vocabulary);
        bool bare_first = pyr_rng_below(&rng, 2) == 0;
        for (int half = 0; half < 2; half++) {
            bool is_bare = (half == 0) == bare_first;
            /* The other side's idle compute threads spin for about 0.1 s before they sleep. */
            usleep(300000);
            if (is_bare)
                bare_turn(bare, settings, prompts, &turns[1]);
            else if (other)
                bare_turn(other, settings, prompts, &turns[0]);
            else
                ours_turn(ours, settings, prompts, &turns[0]);
        }
        if (pair == 0)
            continue;
        pairs->same_text += turns[0].text_hash == turns[1].text_hash;
        keep(pairs->ours, pair - 1, &turns[0]);
        keep(pairs->bare, pair - 1, &turns[1]);
    }
    pairs->count = settings->pairs;
    pyr_free(prompts);
    bare_close(bare);
    if (other)
        bare_close(other);
    if (ours)
        ours_close(ours);
}

/* Where the weights of each side happen to lie in memory is a bias of a few percent that stays for
 * the life of a process: with processes=N each gives the median of its pairs as one pair. */
static void compare_in_processes(const struct settings *settings, struct pairs *pairs) {
    struct pairs *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("no shared memory");
    for (uint32_t i = 0; i < settings->processes; i++) {
        struct settings own = *settings;
        own.seed += i;
        shared->same_text = 0;
        pid_t child = fork();
        if (child == 0) {
            compare(&own, shared);
            _exit(0);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            die("a process failed");
        for (int k = 0; k < SPEEDS; k++) {
            pairs->ours[k][i] = median(shared->ours[k], shared->count);
            pairs->bare[k][i] = median(shared->bare[k], shared->count);
        }
        pairs->same_text += shared->same_text;
    }
    pairs->count = settings->processes;
    munmap(shared, sizeof *shared);
}

int main(int argc, char **argv) {
    struct settings settings = {.threads = 2,
                                .sequences = 1,
                                .pairs = 20,
                                .prompt = 256,
                                .output = 128,
                                .seed = 1,
                                .processes = 1};
    struct {
        const char *name;
        uint32_t *value;
    } options[] = {{"threads=", &settings.threads}, {"sequences=", &settings.sequences},
                   {"pairs=", &settings.pairs},     {"prompt=", &settings.prompt},
                   {"output=", &settings.output},   {"seed=", &settings.seed},
                   {"self=", &settings.self},       {"processes=", &settings.processes}};
    for (int i = 1; i < argc; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof options / sizeof *options && !known; k++) {
            size_t length = strlen(options[k].name);
            known = strncmp(argv[i], options[k].name, length) == 0;
            if (known)
                *options[k].value = (uint32_t)strtoul(argv[i] + length, NULL, 10);
        }
        if (!known)
            settings.model = argv[i];
    }
    if (!settings.model || settings.pairs < 1 || settings.pairs > PAIRS_MOST ||
        settings.processes < 1 || settings.processes > PAIRS_MOST || settings.sequences < 1 ||
        settings.sequences > SEQUENCES_MOST || settings.output < 2)
        die("usage: bare_loop MODEL [threads=] [sequences=] [pairs=] [prompt=] [output=] [self=]");
    static struct pairs pairs;
    if (settings.processes > 1)
        compare_in_processes(&settings, &pairs);
    else
        compare(&settings, &pairs);
    print_ratios(&settings, &pairs);
    return 0;
}
