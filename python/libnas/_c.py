"""What the public headers declare, as text: structs, functions, constants.

Every struct and member, every function and every constant is compared with the headers and with
the library's own table (nas_layout) by python/tests/test_layout.py. Nothing else is here.

Kinds: u32 i32 u64 i64 f64 size as in C; status an i32; str a text that ends with a 0 byte; ptr any
other pointer.
"""

STRUCTS = """
nas_layout_member: str name; u32 offset size
nas_layout_struct: str name; u32 size n_members; ptr members
nas_allocator: u32 struct_size flags; ptr user allocate reallocate release
nas_context_options: u32 struct_size flags threads; i32 isa; ptr allocator log log_user; i32
    log_level reserved; u64 memory_limit
nas_memory_use: u32 struct_size flags; u64 bytes_now bytes_peak allocations
nas_controller_ops: u32 struct_size flags; ptr ask tell forget save load describe destroy
nas_random_options: u32 struct_size flags; i32 replacement reserved
nas_evolution_options: u32 struct_size flags population sample; i32 replacement distinct; u32
    retries mutations; i32 death reserved; str mutation
nas_halving_options: u32 struct_size flags; f64 min_epochs max_epochs; u32 eta candidates brackets;
    i32 overlap continues reserved
nas_asha_options: u32 struct_size flags; f64 min_epochs max_epochs; u32 eta candidates; i32
    continues reserved
nas_hyperband_options: u32 struct_size flags; f64 min_epochs max_epochs; u32 eta brackets; i32
    original overlap continues reserved
nas_bohb_options: u32 struct_size flags; f64 min_epochs max_epochs random_fraction
    bandwidth_factor min_bandwidth; u32 eta brackets min_points top_percent samples; i32 original
    overlap continues ordinal repeats
nas_exhaustive_options: u32 struct_size flags; u64 first; i32 distinct reserved
nas_local_search_options: u32 struct_size flags initial; i32 whole distinct reserved
nas_nsga2_options: u32 struct_size flags population; i32 distinct; u32 retries reserved; f64
    crossover mutation; str objectives
nas_table_options: u32 struct_size flags; str path arch accuracy test seconds metrics curve; f64
    scale noise; i32 missing reserved
nas_table_info: u32 struct_size flags; u64 rows; f64 best_accuracy test_of_best best_test
    mean_accuracy mean_test; u32 epochs reserved
nas_simulate_options: u32 struct_size flags workers reserved; str seconds; f64 max_seconds
nas_reinforce_table_options: u32 struct_size flags; f64 learning_rate decay entropy temperature
    tanh_constant init; i32 baseline entropy_mode; u32 batch bins retries reserved
nas_reinforce_options: u32 struct_size flags; f64 learning_rate decay entropy temperature
    tanh_constant init; i32 baseline entropy_mode; u32 batch bins retries units layers reserved
nas_predictor_options: u32 struct_size flags initial refit candidates parents mutations members
    units layers epochs batch; i32 encoding; u32 reserved; f64 learning_rate weight_decay
    random_share
nas_progressive_options: u32 struct_size flags beam level; i32 surrogate; u32 members embedding
    units epochs batch bins probes; f64 learning_rate; str base
nas_dataset_options: u32 struct_size flags; i64 validation; i32 balanced normalise; f64 mean[4]
    deviation[4]; i32 flip crop_pad cutout reserved; i64 limit_train limit_test
nas_dataset_arrays: u32 struct_size flags; i64 n_train n_test height width channels classes; ptr
    train_bytes test_bytes train_floats test_floats train_labels test_labels
nas_dataset_info: u32 struct_size flags; i64 n_train n_validation n_test height width channels
    classes; f64 mean[4] deviation[4]; u64 hash
nas_evaluator_ops: u32 struct_size flags; ptr prepare evaluate observe save load cancel destroy
nas_train_options: u32 struct_size flags; f64 epochs; u32 batch; i32 optimizer; f64 learning_rate
    final_rate momentum beta2 epsilon; i32 nesterov schedule; f64 warmup weight_decay; i32
    decay_all; f64 label_smoothing clip dropout ema data_fraction; i32 validate use_validation;
    i64 max_seconds; u64 seed; f64 drop_path; u64 memory_limit; ptr tuning
nas_train_progress: u32 struct_size flags; f64 epoch epochs; u64 step steps; f64 train_loss
    train_accuracy validation_loss validation_accuracy learning_rate seconds
nas_plan_options: u32 struct_size flags batch; i32 training fusion reserved; u64 memory_limit; ptr tuning
nas_plan_info: u32 struct_size flags; u64 tensor_bytes scratch_bytes value_bytes; i64 macs; u64 steps peak_bytes
nas_train_hooks: u32 struct_size flags; ptr user epoch_ended keep_going keep kept; u64 n_kept
nas_metrics: u32 struct_size flags; f64 loss accuracy; i64 n
nas_model_info: u32 struct_size flags; i64 height width channels classes; f64 mean[4]
    deviation[4]
nas_tensor_info: str name; i64 shape[4]; u32 dimensions trained
nas_shape: i64 n h w c
nas_cost: i64 params macs activation_bytes
nas_op_site: u32 struct_size flags; str name scope; i32 stride affine track training; i64
    channels; f64 bn_epsilon bn_momentum
nas_op_ops: u32 struct_size flags; ptr shape build destroy
nas_conv_options: u32 struct_size flags; i64 filters; i32 kernel_h kernel_w stride_h stride_w
    dilation_h dilation_w pad_h pad_w groups bias
nas_path: u32 alternative active; f64 weight channels
nas_report_options: u32 struct_size flags; str title; ptr space; u32 best reserved
nas_objective: str metric; i32 minimise reserved; f64 weight limit exponent
nas_search_hooks: u32 struct_size flags; ptr user trial_started epoch_ended trial_ended turn_ended
    should_stop
nas_named_evaluator: str name; ptr evaluator
nas_search_options: u32 struct_size flags; ptr space controller evaluators; u32 n_evaluators
    n_objectives; ptr objectives data store hooks; u64 seed; u32 window workers; i32 order reuse;
    u64 max_trials max_evaluations; f64 max_epochs max_seconds target trial_seconds
    checkpoint_seconds; str settings
nas_search_progress: u32 struct_size flags; u64 trials turns evaluations cached infeasible
    distinct generations; f64 best epochs seconds
nas_decision: u32 struct_size; i32 kind role; u32 n_alternatives; str name; ptr alternatives; i64
    low high step; f64 real_low real_high; i32 log_scale condition condition_alternative reserved
nas_value: i64 integer; f64 real
nas_arch_cost: u32 struct_size flags; i64 params macs published_flops activation_bytes
    weight_bytes depth
nas_store_options: u32 struct_size flags; i32 read_only create durable reserved; str vfs
nas_trial: u32 struct_size flags; u64 number; i32 state reason; str arch sentence note evaluator;
    u64 arch_hash network_hash parent from generation; f64 score seconds; u64 turns
"""

FUNCTIONS = """
nas_version -> u32
nas_version_text -> str
nas_status_name status -> str
nas_status_text status -> str
nas_layout u32 -> ptr
nas_context_options_init ptr -> void
nas_context_create ptr ptr -> status
nas_context_free ptr -> void
nas_context_error ptr -> str
nas_context_error_status ptr -> status
nas_context_fail ptr status str -> status
nas_context_threads ptr -> u32
nas_context_isa ptr -> i32
nas_isa_name i32 -> str
nas_context_memory ptr ptr -> status
nas_controller_create ptr ptr str ptr ptr -> status
nas_controller_free ptr -> void
nas_controller_name ptr -> str
nas_controller_ask ptr ptr ptr -> status
nas_controller_tell ptr ptr ptr -> status
nas_controller_forget ptr u64 -> status
nas_controller_save ptr ptr -> status
nas_controller_load ptr ptr -> status
nas_controller_describe ptr ptr -> status
nas_controller_named ptr ptr str ptr size -> status
nas_controller_builtin u32 -> str
nas_controller_settings str -> str
nas_random_options_init ptr -> void
nas_controller_random ptr ptr ptr -> status
nas_evolution_options_init ptr -> void
nas_controller_evolution ptr ptr ptr -> status
nas_halving_options_init ptr -> void
nas_controller_halving ptr ptr ptr -> status
nas_asha_options_init ptr -> void
nas_controller_asha ptr ptr ptr -> status
nas_hyperband_options_init ptr -> void
nas_controller_hyperband ptr ptr ptr -> status
nas_bohb_options_init ptr -> void
nas_controller_bohb ptr ptr ptr -> status
nas_exhaustive_options_init ptr -> void
nas_controller_exhaustive ptr ptr ptr -> status
nas_local_search_options_init ptr -> void
nas_controller_local_search ptr ptr ptr -> status
nas_nsga2_options_init ptr -> void
nas_controller_nsga2 ptr ptr ptr -> status
nas_table_options_init ptr -> void
nas_evaluator_table ptr ptr ptr -> status
nas_evaluator_table_info ptr ptr -> status
nas_simulate_options_init ptr -> void
nas_search_simulate ptr ptr ptr -> status
nas_reinforce_table_options_init ptr -> void
nas_controller_reinforce_table ptr ptr ptr -> status
nas_reinforce_options_init ptr -> void
nas_controller_reinforce ptr ptr ptr -> status
nas_predictor_options_init ptr -> void
nas_controller_predictor ptr ptr ptr -> status
nas_progressive_options_init ptr -> void
nas_controller_progressive ptr ptr ptr -> status
nas_controller_warm_start ptr ptr ptr ptr -> status
nas_dataset_options_init ptr -> void
nas_dataset_options_set ptr ptr str -> status
nas_dataset_open ptr ptr str ptr -> status
nas_dataset_idx ptr ptr str str str str ptr -> status
nas_dataset_cifar10 ptr ptr ptr size ptr size ptr -> status
nas_dataset_from_arrays ptr ptr ptr ptr -> status
nas_dataset_free ptr -> void
nas_dataset_describe ptr ptr -> status
nas_dataset_read ptr i32 i64 i64 ptr ptr -> status
nas_evaluator_create ptr ptr str ptr ptr -> status
nas_evaluator_free ptr -> void
nas_evaluator_name ptr -> str
nas_evaluator_flags ptr -> u32
nas_evaluator_prepare ptr ptr ptr -> status
nas_evaluator_evaluate ptr ptr ptr ptr -> status
nas_evaluator_observe ptr ptr ptr -> status
nas_evaluator_save ptr ptr -> status
nas_evaluator_load ptr ptr -> status
nas_report ptr f64 f64 str f64 -> status
nas_report_poll ptr -> status
nas_report_keep ptr ptr size -> status
nas_report_kept ptr ptr ptr -> status
nas_report_from ptr ptr ptr -> status
nas_report_keep_due ptr i32 -> i32
nas_evaluator_callback ptr ptr u32 ptr ptr ptr -> status
nas_evaluator_train ptr ptr ptr -> status
nas_evaluator_named ptr ptr str ptr size -> status
nas_evaluator_builtin u32 -> str
nas_evaluator_settings str -> str
nas_sink_create ptr ptr ptr ptr -> status
nas_sink_file ptr ptr str -> status
nas_sink_memory ptr ptr -> status
nas_sink_write ptr ptr size -> status
nas_sink_text ptr str -> status
nas_sink_data ptr ptr -> str
nas_sink_close ptr -> status
nas_sink_free ptr -> void
nas_writer_create ptr ptr -> status
nas_writer_free ptr -> void
nas_writer_data ptr ptr -> ptr
nas_write_u64 ptr u64 -> status
nas_write_i64 ptr i64 -> status
nas_write_f64 ptr f64 -> status
nas_write_f64s ptr ptr size -> status
nas_write_bytes ptr ptr size -> status
nas_write_text ptr str -> status
nas_write_arch ptr ptr -> status
nas_reader_create ptr ptr ptr size -> status
nas_reader_free ptr -> void
nas_read_u64 ptr ptr -> status
nas_read_i64 ptr ptr -> status
nas_read_f64 ptr ptr -> status
nas_read_f64s ptr ptr size -> status
nas_read_bytes ptr ptr ptr -> status
nas_read_text ptr ptr size -> status
nas_read_arch ptr ptr ptr -> status
nas_reader_left ptr -> size
nas_plan_options_init ptr -> void
nas_arch_plan ptr ptr ptr ptr -> status
nas_tuning_measure ptr ptr ptr size -> status
nas_tuning_free ptr -> void
nas_tuning_hash ptr -> u64
nas_tuning_count ptr ptr -> u32
nas_tuning_write ptr ptr -> status
nas_tuning_parse ptr ptr str size str -> status
nas_tuning_load ptr ptr str -> status
nas_train_hooks_init ptr -> void
nas_train_options_init ptr -> void
nas_train_options_set ptr ptr str -> status
nas_model_create ptr ptr u64 -> status
nas_model_free ptr -> void
nas_model_arch ptr -> ptr
nas_model_describe ptr ptr -> status
nas_model_train ptr ptr ptr ptr ptr -> status
nas_model_train_with ptr ptr ptr ptr -> status
nas_model_evaluate ptr ptr i32 ptr -> status
nas_model_predict ptr ptr i64 ptr -> status
nas_model_save ptr str -> status
nas_model_load ptr ptr str -> status
nas_model_load_weights ptr str -> status
nas_model_tensor ptr u32 ptr -> status
nas_model_read_tensor ptr str ptr size -> status
nas_model_write_tensor ptr str ptr size -> status
nas_op_register ptr str ptr ptr -> status
nas_op_name ptr u32 -> str
nas_conv_options_init ptr -> void
nas_graph_conv ptr str u32 ptr ptr -> status
nas_graph_batch_norm ptr str u32 i32 i32 f64 f64 ptr -> status
nas_graph_linear ptr str u32 i64 i32 ptr -> status
nas_graph_relu ptr u32 ptr -> status
nas_graph_relu6 ptr u32 ptr -> status
nas_graph_max_pool ptr u32 i32 i32 i32 ptr -> status
nas_graph_avg_pool ptr u32 i32 i32 i32 ptr -> status
nas_graph_global_pool ptr u32 ptr -> status
nas_graph_add ptr ptr u32 ptr -> status
nas_graph_mul ptr u32 u32 ptr -> status
nas_graph_scale ptr u32 f64 ptr -> status
nas_graph_sigmoid ptr u32 ptr -> status
nas_graph_concat ptr ptr u32 ptr -> status
nas_graph_zero ptr u32 i32 ptr -> status
nas_graph_dropout ptr u32 f64 ptr -> status
nas_graph_layer_norm ptr str u32 i32 f64 ptr -> status
nas_graph_tanh ptr u32 ptr -> status
nas_graph_hard_sigmoid ptr u32 ptr -> status
nas_graph_hard_swish ptr u32 ptr -> status
nas_graph_softmax ptr u32 ptr -> status
nas_graph_log_softmax ptr u32 ptr -> status
nas_graph_squeeze_excite ptr str u32 i64 i32 ptr -> status
nas_graph_factorized_reduce ptr str u32 i64 i32 i32 f64 f64 ptr -> status
nas_graph_resize ptr u32 i64 i64 i32 ptr -> status
nas_graph_embedding ptr str u32 i64 i64 ptr -> status
nas_graph_lstm_cell ptr str u32 u32 u32 i64 ptr ptr -> status
nas_graph_mean_squared_error ptr u32 u32 ptr -> status
nas_graph_shape ptr u32 ptr -> status
nas_propose_space ptr -> ptr
nas_propose_turn ptr -> u64
nas_propose_trial ptr -> u64
nas_propose_so_far ptr -> ptr
nas_propose_arch ptr ptr -> status
nas_propose_value ptr u32 ptr -> status
nas_propose_paths ptr u32 ptr u32 -> status
nas_propose_want ptr u32 -> status
nas_propose_batch ptr i32 u64 -> status
nas_propose_fidelity ptr str f64 -> status
nas_propose_from ptr u64 i32 -> status
nas_propose_evaluator ptr str -> status
nas_propose_weights ptr i32 u64 -> status
nas_propose_displacement ptr f64 -> status
nas_propose_token ptr ptr size -> status
nas_propose_continue_trial ptr -> status
nas_propose_note ptr str -> status
nas_propose_parent ptr u64 -> status
nas_proposal_turn ptr -> u64
nas_proposal_trial ptr -> u64
nas_proposal_wants ptr -> u32
nas_proposal_arch ptr -> ptr
nas_proposal_paths ptr u32 ptr -> ptr
nas_proposal_path_count ptr -> u32
nas_proposal_path_offset ptr u32 -> u32
nas_proposal_value ptr u32 ptr -> status
nas_proposal_split ptr -> i32
nas_proposal_batch ptr -> u64
nas_proposal_fidelity ptr str f64 -> f64
nas_proposal_from ptr ptr -> u64
nas_proposal_parent ptr -> u64
nas_proposal_evaluator ptr -> str
nas_proposal_weights ptr ptr -> i32
nas_proposal_displacement ptr -> f64
nas_proposal_token ptr ptr -> ptr
nas_proposal_note ptr -> str
nas_proposal_ends_trial ptr -> i32
nas_proposal_seen ptr -> u64
nas_proposal_random ptr str ptr -> status
nas_proposal_seed ptr -> u64
nas_random_create ptr ptr u64 u64 str -> status
nas_random_free ptr -> void
nas_random_u64 ptr -> u64
nas_random_below ptr u64 -> u64
nas_random_uniform ptr -> f64
nas_random_normal ptr -> f64
nas_random_shuffle ptr ptr size -> void
nas_random_pick ptr ptr size -> size
nas_report_options_init ptr -> void
nas_report_html ptr ptr ptr -> status
nas_report_text ptr ptr ptr -> status
nas_arch_draw ptr i32 ptr -> status
nas_result_set ptr str f64 -> status
nas_result_add_point ptr str f64 f64 -> status
nas_result_set_state ptr i32 -> status
nas_result_set_infeasible ptr i32 str -> status
nas_result_set_gradient ptr ptr size -> status
nas_result_so_far ptr -> ptr
nas_result_state ptr -> i32
nas_result_reason ptr -> i32
nas_result_sentence ptr -> str
nas_result_metric ptr str ptr -> status
nas_result_metric_at ptr u32 ptr -> str
nas_result_points ptr str -> u32
nas_result_point ptr str u32 ptr ptr -> status
nas_result_curve_at ptr u32 -> str
nas_result_gradient ptr ptr -> ptr
nas_result_score ptr -> f64
nas_result_create ptr ptr -> status
nas_result_free ptr -> void
nas_ended_text i32 -> str
nas_search_options_init ptr -> void
nas_search_create ptr ptr ptr -> status
nas_search_free ptr -> void
nas_search_run ptr ptr -> status
nas_search_step ptr -> status
nas_search_stop ptr -> void
nas_search_ask ptr ptr -> status
nas_search_tell ptr ptr ptr -> status
nas_search_forget ptr ptr -> status
nas_search_trials ptr -> u64
nas_search_trial ptr u64 ptr -> status
nas_search_best ptr ptr -> status
nas_search_ended ptr -> i32
nas_search_store ptr -> ptr
nas_search_state ptr ptr -> status
nas_search_replay ptr ptr ptr -> status
nas_space_preset ptr ptr str ptr size -> status
nas_space_preset_name u32 -> str
nas_space_preset_text str -> str
nas_space_parse ptr ptr str size str ptr size -> status
nas_space_open ptr ptr str ptr size -> status
nas_space_create ptr ptr str -> status
nas_space_add_choice ptr str ptr u32 -> status
nas_space_add_integer ptr str i64 i64 i64 -> status
nas_space_add_real ptr str f64 f64 i32 -> status
nas_space_add_condition ptr str str -> status
nas_space_add_constraint ptr str -> status
nas_space_finish ptr -> status
nas_space_free ptr -> void
nas_space_name ptr -> str
nas_space_text ptr -> str
nas_space_hash ptr -> u64
nas_space_decisions ptr -> u32
nas_space_has_network ptr -> i32
nas_space_decision ptr u32 ptr -> status
nas_space_find_decision ptr str ptr -> status
nas_space_count ptr ptr ptr size -> status
nas_space_sample ptr ptr ptr -> status
nas_space_mutate ptr ptr ptr ptr -> status
nas_space_mutate_as ptr ptr str ptr ptr -> status
nas_space_crossover ptr ptr ptr ptr ptr -> status
nas_space_neighbors ptr ptr ptr -> status
nas_space_neighbor ptr ptr u64 ptr -> status
nas_space_at ptr u64 ptr -> status
nas_space_published ptr u32 -> str
nas_arch_create ptr ptr ptr size -> status
nas_arch_parse ptr ptr str -> status
nas_arch_hold ptr -> ptr
nas_arch_free ptr -> void
nas_arch_space ptr -> ptr
nas_arch_value ptr u32 ptr -> status
nas_arch_active ptr u32 -> i32
nas_arch_text ptr -> str
nas_arch_hash ptr -> u64
nas_arch_network_hash ptr -> u64
nas_arch_published_hash ptr -> u64
nas_arch_equal ptr ptr -> i32
nas_arch_costs ptr ptr -> status
nas_arch_check ptr -> status
nas_arch_encode ptr i32 ptr size ptr -> status
nas_store_options_init ptr -> void
nas_store_open ptr ptr str ptr -> status
nas_store_free ptr -> void
nas_store_fact ptr str ptr -> status
nas_store_set_fact ptr str str -> status
nas_store_trials ptr ptr -> status
nas_store_trial ptr u64 ptr -> status
nas_store_metric ptr u64 str ptr -> status
nas_store_metric_at ptr u64 u32 ptr ptr -> status
nas_store_curve ptr u64 str ptr ptr size ptr -> status
nas_store_curve_at ptr u64 u32 ptr -> status
nas_store_put_blob ptr str ptr size -> status
nas_store_get_blob ptr str ptr ptr -> status
nas_store_dump ptr ptr -> status
"""

NAS_OK = 0
NAS_WAIT = 1
NAS_DONE = 2
NAS_STOP = 3
NAS_E_INVALID = -1
NAS_E_MEMORY = -2
NAS_E_NOT_FOUND = -3
NAS_E_SYNTAX = -4
NAS_E_IO = -5
NAS_E_CORRUPT = -6
NAS_E_VERSION = -7
NAS_E_UNSUPPORTED = -8
NAS_E_STATE = -9
NAS_E_INFEASIBLE = -10
NAS_E_CANCELLED = -11
NAS_E_LIMIT = -12
NAS_E_CALLBACK = -13
NAS_E_FORKED = -14
NAS_E_DIVERGED = -15
NAS_E_EXISTS = -16
NAS_E_SHAPE = -17
NAS_E_BUSY = -18
NAS_E_DIFFERS = -19
NAS_E_INTERNAL = -99
NAS_LOG_ERROR = 1
NAS_LOG_WARNING = 2
NAS_LOG_INFO = 3
NAS_LOG_DEBUG = 4
NAS_ISA_BEST = 0
NAS_ISA_GENERIC = 1
NAS_ISA_AVX2 = 2
NAS_ISA_AVX512 = 3
NAS_ISA_NEON = 4
NAS_DECISION_CHOICE = 0
NAS_DECISION_INTEGER = 1
NAS_DECISION_REAL = 2
NAS_ROLE_ARCHITECTURE = 0
NAS_ROLE_HYPERPARAMETER = 1
NAS_ENCODE_ONE_HOT = 0
NAS_ENCODE_ADJACENCY = 1
NAS_ENCODE_PATH = 2
NAS_WANT_METRICS = 1
NAS_WANT_ARCH_GRADIENT = 2
NAS_WANT_WEIGHT_STEP = 4
NAS_WANT_KEEP_DIRECTION = 8
NAS_WEIGHTS_LIVE = 0
NAS_WEIGHTS_LOOKAHEAD = 1
NAS_SPLIT_NONE = 0
NAS_SPLIT_TRAIN = 1
NAS_SPLIT_VALIDATION = 2
NAS_SPLIT_TEST = 3
NAS_FROM_SCRATCH = 0
NAS_FROM_CONTINUE = 1
NAS_FROM_INHERIT = 2
NAS_STATE_COMPLETE = 0
NAS_STATE_STOPPED = 1
NAS_STATE_INFEASIBLE = 2
NAS_STATE_CACHED = 3
NAS_REASON_NONE = 0
NAS_REASON_DIVERGED = 1
NAS_REASON_MEMORY = 2
NAS_REASON_TIME = 3
NAS_REASON_CALLBACK = 4
NAS_REASON_CONSTRAINT = 5
NAS_REASON_VANISHED = 6
NAS_REASON_OTHER = 7
NAS_CONTROLLER_NEEDS_GRADIENT = 1
NAS_CONTROLLER_NEEDS_WEIGHTS = 2
NAS_CONTROLLER_CONTINUES = 4
NAS_DEATH_OLDEST = 0
NAS_DEATH_WORST = 1
NAS_DEATH_LOSER = 2
NAS_BASELINE_CORRECTED = 0
NAS_BASELINE_FIRST = 1
NAS_BASELINE_ZERO = 2
NAS_ENTROPY_REWARD = 0
NAS_ENTROPY_REGULARIZER = 1
NAS_PREDICTOR_AUTO = 0
NAS_PREDICTOR_ONE_HOT = 1
NAS_PREDICTOR_PATH = 2
NAS_SURROGATE_MLP = 0
NAS_SURROGATE_LSTM = 1
NAS_OPTIMIZER_SGD = 0
NAS_OPTIMIZER_ADAM = 1
NAS_OPTIMIZER_ADAMW = 2
NAS_SCHEDULE_CONSTANT = 0
NAS_SCHEDULE_COSINE = 1
NAS_SCHEDULE_ONE_CYCLE = 2
NAS_EVALUATOR_CONCURRENT = 1
NAS_EVALUATOR_STATELESS = 2
NAS_EVALUATOR_ARCH_GRADIENT = 4
NAS_EVALUATOR_WEIGHT_STEP = 8
NAS_EVALUATOR_NEEDS_NETWORK = 16
NAS_EVALUATOR_NEEDS_DATA = 32
NAS_EVALUATOR_CONTINUES = 64
NAS_EVALUATOR_INHERITS = 128
NAS_DURABLE_PROCESS = 0
NAS_DURABLE_POWER = 1
NAS_ORDER_TURNS = 0
NAS_ORDER_ARRIVAL = 1
NAS_ENDED_NOT = 0
NAS_ENDED_TRIALS = 1
NAS_ENDED_EPOCHS = 2
NAS_ENDED_EVALUATIONS = 3
NAS_ENDED_TIME = 4
NAS_ENDED_TARGET = 5
NAS_ENDED_CONTROLLER = 6
NAS_ENDED_CALLER = 7
NAS_ENDED_ERROR = 8
NAS_DRAW_SVG = 0
NAS_DRAW_DOT = 1
NAS_DRAW_TEXT = 2
NAS_STATUS_CALLER = -1000
NAS_NODE_NONE = 2**32 - 1
NAS_BATCH_WHOLE = 2**64 - 1
NAS_TRIAL_NONE = 2**64 - 1
