"""The switches for everything that docs/kommo.md leaves open: the default is the strict reading, or what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.simulator.tokens import API_DOMAIN


@dataclass(slots=True)
class Variants:
    """The behaviour of this Kommo where the sources disagree; sections are those of docs/kommo.md."""

    lists_as_objects: bool = False
    """5.4, reported of more lists than enums: every list inside an answer comes as an object keyed by index."""
    empty_page_behind: str = ""
    """3, reported: the last page of a list promises another, which answers "204" or has an empty "list", or an empty
    list that promises another again ("endless"); "": the last page promises nothing."""
    palette: bool = True
    """4.4: a colour outside the palette is refused."""
    palette_case_sensitive: bool = False
    """4.4: an upper-case palette colour is refused too."""
    renumber: bool = True
    """4.5: ordinary stages are numbered 10, 20, 30 anew after each write."""
    main_pipeline_first: bool = True
    """4.1: the sort of the main pipeline is set automatically (1)."""
    unset_main: str = "ignore"
    """4.1: is_main false on the main pipeline: "ignore" (200) or "400"."""
    system_stage_patch: str = "ignore"
    """4.3: PATCH of 142, 143 and incoming: "ignore" (200) or "400" (NotSupportedChoice)."""
    lost_name_on_create: bool = True
    """4.2: the name of 143 given at pipeline creation is taken (False: the default stays, as one example shows)."""
    stage_patch_blanks_name: bool = True
    """4.1: PATCH of a stage without a name blanks it."""
    default_stages: bool = False
    """4.2: a pipeline created without stages gets the default ones."""
    main_pipeline_deletable: bool = False
    """4.6: the main pipeline may be deleted when another exists, and the first of the others becomes main.
    Nothing was found on it; assumed refused, as there is to be exactly one main pipeline (4.1)."""
    undeletable_status: int = 400
    """4.6, 5.5: the status of every refused DELETE (400 or 422)."""
    delete_status: int = 204
    """4: a DELETE answers 204, or 200 with {}."""
    unknown_filter: str = "ignore"
    """3: a filter that a list of leads, contacts or companies does not understand: "ignore" (assumed) or "400"."""
    filters_enabled: bool = True
    """6: the account has the filters of these lists (False: all are ignored)."""
    trash_is_bare: bool = True
    """6: a lead of with=only_deleted shows its id, is_deleted and who changed it when, no more."""
    trash_filtered: bool = True
    """6: the filters work with=only_deleted too (assumed; False: it is always the whole trash)."""
    unsorted_in_leads: bool = False
    """6: the list of leads also has the incoming ones (assumed not: they have a list of their own)."""
    limit_status: int = 422
    """2: the status when 50 pipelines or 100 stages would be passed."""
    max_pipelines: int = 50
    max_stages: int = 100
    """2: per pipeline, the system stages included."""
    code_patch_only_null: bool = True
    """5.2: PATCH of a field's code is refused (OnlyNull)."""
    monetary_post_500: bool = False
    """5.3: every POST that holds a monetary field answers 500 and makes nothing."""
    monetary_patch_needs_currency: bool = True
    """5.2: each PATCH of a monetary field must carry its currency."""
    enums_required_on_patch: bool = False
    """5.4: each PATCH of a select field must carry its enums."""
    batch_patch_enums_as_object: bool = True
    """5.4: the answer to a batch PATCH gives enums keyed by index instead of a list."""
    system_required_statuses: str = "stick"
    """5.2: 142 and 143 in required and hidden statuses: "stick" or "drop" (200 but left out)."""
    group_null_patch_rejected: bool = True
    """5.2: group_id null on PATCH is refused."""
    main_group_shown_as: str = "null"
    """5.2: the group of a field in the main group reads as "null" or "default"."""
    fields_created_status: int = 201
    """5.1: POST of fields answers 201 or 200."""
    groups_created_status: int = 201
    batch_504_above: int = 0
    """2: a write of more items than this answers 504 (0: never)."""
    batch_504_applied: bool = False
    """2: whether the write behind that 504 was applied."""
    stored_names: str = ""
    """9: what becomes of a name that is written, comma-separated ways of `spelling`."""
    shown_names: str = ""
    """9: what becomes of a name on its way into an answer, as `stored_names`."""
    respelt_kinds: str = ""
    """What both concern: of pipeline, stage, group, field and enum, comma-separated ("": all)."""
    request_ids: bool = True
    """3: answers to a POST name the items by their request ids (False: reports of answers without)."""
    answers_reversed: bool = False
    """Nothing says that the answer to a POST keeps the order of the request."""
    stale_reads: int = 0
    """9 (assumed): after a write, so many readings of the account show it as it was before."""
    stale_seconds: float = 0.0
    """9 (assumed): readings show the account as it was so many seconds ago."""
    refresh_rotation: str = "grace"
    """1.3: the old refresh token ends at the first use of the new pair ("grace") or at the refresh ("strict")."""
    foreign_refresh_status: int = 401
    """1.3: another account's refresh token is "Token has been revoked" (401) or "Invalid refresh token" (400)."""
    oauth_errors: str = "en"
    """1.3: the language of title and detail in the errors of the token endpoint, "en" or "ru"."""
    former_address: str = "html_404"
    """1.6: an address that an account had before answers "html_404", "json_404" (Cannot GET ...) or "401"."""
    token_server_time: bool = True
    """1.3: the token endpoint tells server_time."""
    referer_scheme: bool = False
    """1.2: `referer` has a scheme in front."""
    api_domain: str = API_DOMAIN
    """1.4, 1.6: the claim of new tokens; its first label is where a refresh token finds its account."""
    refused_colors: str = ""
    """4.4, reports of 2026: these colours (lower case, comma-separated) are refused though they are in the palette."""
    refused_options: str = ""
    """5.4, reports of 2026: options of these values (comma-separated) are refused, by some unwritten rule."""
    complaint_paths: str = "dotted"
    """3: how a complaint names what it is about: "dotted" (`enums.0.value`), "brackets" (`enums[0][value]`),
    "pointer" (`/enums/0/value`), "indexed" (`0.enums.0.value`, the item's place in front), "short" (without
    `_embedded`) or "none" (a plain 400 without validation-errors). All but the first assumed."""
    deleted_twice_status: int = 404
    """4, reports of 2026: DELETE of what is gone answers 404, or 400, 403, 405 or 422."""
