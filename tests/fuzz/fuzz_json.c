/* SPDX-License-Identifier: MIT */
#include <deephealth/inspection.h>

#include <string.h>

#include "fuzz.h"

/* What a model was read from is written and read again: the second text is the first. */
static dh_status go_round(const dh_model *model)
{
    char *first, *second = NULL;
    dh_model *again = NULL;
    DH_TRY(dh_model_to_json(&first, model));
    dh_status status = dh_model_from_json(&again, first);
    if (!status) status = dh_model_to_json(&second, again);
    bool same = !status && strcmp(first, second) == 0;
    dh_text_free(first);
    dh_text_free(second);
    dh_model_free(again);
    if (!same) __builtin_trap();
    return DH_OK;
}

dh_status fuzz_one(const uint8_t *data, size_t size)
{
    dh_model *model;
    char *text = dh__alloc(size + 1);
    if (!text) return DH_ENOMEM;
    memcpy(text, data, size);
    text[size] = '\0';
    dh_status status = dh_model_from_json(&model, text);
    dh__free(text);
    if (status) return status;
    status = go_round(model);
    dh_model_free(model);
    return status;
}

FUZZ_TARGET
