//! The `export_…!` macros: one line that makes a component of an author's type.

/// Makes the crate a validator component.
///
/// Takes the name of a type that implements [`Validator`](crate::Validator); once per crate. In native builds it exports nothing
/// and only checks that the type is one.
#[macro_export]
macro_rules! export_validator {
    ($plugin:ident) => {
        $crate::__export_plugin!($plugin, Validator, __export_validation, validation);
    };
}

/// Makes the crate an aggregation component.
///
/// Takes the name of a type that implements [`Aggregation`](crate::Aggregation); once per crate. In native builds it exports
/// nothing and only checks that the type is one.
#[macro_export]
macro_rules! export_aggregation {
    ($plugin:ident) => {
        $crate::__export_plugin!($plugin, Aggregation, __export_aggregation, aggregation);
    };
}

/// Makes the crate a monitor component.
///
/// Takes the name of a type that implements [`Monitor`](crate::Monitor); once per crate. In native builds it exports nothing
/// and only checks that the type is one.
#[macro_export]
macro_rules! export_monitor {
    ($plugin:ident) => {
        $crate::__export_plugin!($plugin, Monitor, __export_monitoring, monitoring);
    };
}

/// Makes the crate a sink component.
///
/// Takes the name of a type that implements [`Sink`](crate::Sink); once per crate. In native builds it exports nothing and only
/// checks that the type is one.
#[macro_export]
macro_rules! export_sink {
    ($plugin:ident) => {
        $crate::__export_plugin!($plugin, Sink, __export_delivery, delivery);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    ($plugin:ident, $kind:ident, $export:ident, $interface:ident) => {
        const _: () = {
            const fn implements<T: $crate::$kind>() {}
            implements::<$plugin>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::guest::Exported for Component {
                type Plugin = $plugin;
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
                const DESCRIPTION: &'static str = env!("CARGO_PKG_DESCRIPTION");
                fn slot() -> &'static ::std::thread::LocalKey<$crate::guest::Slot<$plugin>> {
                    ::std::thread_local! {
                        static SLOT: $crate::guest::Slot<$plugin> = const { ::std::cell::RefCell::new(None) };
                    }
                    &SLOT
                }
            }

            $crate::bindings::lifecycle::__export_lifecycle!(Component with_types_in $crate::bindings::lifecycle);
            $crate::bindings::$interface::$export!(Component with_types_in $crate::bindings::$interface);
        };
    };
}
